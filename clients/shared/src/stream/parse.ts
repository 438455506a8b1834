/** One server-sent event as it came over the wire. */
export interface RawEvent {
  id: string | null;
  event: string;
  data: string;
}

/**
 * Server-sent events from text that arrives in arbitrary pieces. Comments are dropped here;
 * whoever feeds the text sees every byte and so knows that the line is alive.
 */
export class EventParser {
  private rest = '';
  private fields: { id: string | null; event: string; data: string[] } = blank();

  push(text: string): RawEvent[] {
    const lines = (this.rest + text).split(/\r\n|\n|\r(?=[^\n])/);
    this.rest = lines.pop() ?? '';
    return lines.flatMap((line) => this.line(line));
  }

  private line(line: string): RawEvent[] {
    if (line === '') return this.dispatch();
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (name === 'data') this.fields.data.push(value);
    else if (name === 'event') this.fields.event = value;
    else if (name === 'id') this.fields.id = value;
    return [];
  }

  private dispatch(): RawEvent[] {
    const { id, event, data } = this.fields;
    this.fields = blank();
    return data.length ? [{ id, event: event || 'message', data: data.join('\n') }] : [];
  }
}

function blank(): { id: string | null; event: string; data: string[] } {
  return { id: null, event: '', data: [] };
}

import type { TreeIssue } from '@muster/shared/api/types.ts';
import { m } from '@muster/shared/i18n/messages.ts';
import { number } from '@muster/shared/time.ts';

type Words = { title: (inputs: { count: string }) => string; remedy: () => string };

const ISSUES: Record<TreeIssue['kind'], Words> = {
  orphans: { title: m.issue_orphans, remedy: m.remedy_orphans },
  cycle: { title: () => m.issue_cycle(), remedy: m.remedy_cycle },
  no_warden: { title: () => m.issue_no_warden(), remedy: m.remedy_name_warden },
  nobody_here: { title: () => m.issue_nobody_here(), remedy: m.remedy_name_present },
  warden_unreachable: { title: () => m.issue_warden_unreachable(), remedy: m.remedy_reach },
  warden_away: { title: () => m.issue_warden_away(), remedy: m.remedy_tell_alternate },
  warden_not_fresh: { title: () => m.issue_warden_not_fresh(), remedy: m.remedy_open_phone },
  warden_no_number: { title: () => m.issue_warden_no_number(), remedy: m.remedy_number },
  no_alternate: { title: () => m.issue_no_alternate(), remedy: m.remedy_alternate },
  alternate_unreachable: { title: m.issue_alternate_unreachable, remedy: m.remedy_reach },
  alternate_not_fresh: { title: m.issue_alternate_not_fresh, remedy: m.remedy_open_phone },
  alternate_no_number: { title: m.issue_alternate_no_number, remedy: m.remedy_number },
  warden_of_many: { title: () => m.issue_warden_of_many(), remedy: m.remedy_spread },
  member_twice: { title: m.issue_member_twice, remedy: m.remedy_once },
  too_deep: { title: () => m.issue_too_deep(), remedy: m.remedy_higher },
  empty: { title: () => m.issue_empty(), remedy: m.remedy_remove },
};

export const GRAVITY: Record<TreeIssue['severity'], () => string> = {
  critical: m.severity_critical,
  serious: m.severity_serious,
  minor: m.severity_minor,
};

export const issueWord = ({ kind, count }: TreeIssue): string =>
  ISSUES[kind].title({ count: number(count) });
export const remedyWord = ({ kind }: TreeIssue): string => ISSUES[kind].remedy();

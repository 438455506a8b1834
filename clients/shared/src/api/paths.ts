/** The calls the clients make, in the form openapi-fetch reads. */
import type {
  Alert,
  Area,
  BoardPerson,
  Checkin,
  CheckinResult,
  Device,
  Enrolment,
  Headcount,
  NewAlert,
  Page,
  Preview,
  ProblemBody,
  PublicConfig,
  Receipt,
  Self,
  Session,
  TreeNode,
  WebPush,
} from './types.ts';

type Params<Path, Query> = [Path] extends [never]
  ? { query?: Query }
  : { path: Path; query?: Query };
type Sends<Body> = [Body] extends [never]
  ? { requestBody?: never }
  : { requestBody: { content: { 'application/json': Body } } };

type Call<Ok, Body = never, Path = never, Query = never> = Sends<Body> & {
  parameters: Params<Path, Query>;
  responses: {
    200: { content: { 'application/json': Ok } };
    default: { content: { 'application/problem+json': ProblemBody } };
  };
};

interface OneAlert {
  id: string;
}
interface Paging {
  limit?: number;
  cursor?: string;
}

export interface paths {
  '/v1/config': { get: Call<PublicConfig> };
  '/v1/sessions': {
    get: Call<Session>;
    post: Call<Session, { token: string }>;
    delete: Call<never>;
  };
  '/v1/devices': { post: Call<Device, Enrolment> };
  '/v1/self': { get: Call<Self>; delete: Call<never> };
  '/v1/self/push': { put: Call<never, WebPush> };
  '/v1/checkins': { post: Call<{ items: CheckinResult[] }, { items: Checkin[] }> };
  '/v1/receipts': { post: Call<unknown, { items: Receipt[] }> };
  '/v1/alerts': {
    get: Call<Page<Alert>, never, never, Paging & { state?: string }>;
    post: Call<Alert, NewAlert>;
  };
  '/v1/alerts/preview': { post: Call<Preview, NewAlert> };
  '/v1/alerts/{id}/headcount': { get: Call<Headcount, never, OneAlert> };
  '/v1/alerts/{id}/people': {
    get: Call<Page<BoardPerson>, never, OneAlert, Paging & { status?: string; q?: string }>;
  };
  '/v1/alerts/{id}/close': { post: Call<Alert, never, OneAlert> };
  '/v1/areas': { get: Call<Page<Area>, never, never, Paging> };
  '/v1/agencies': { get: Call<Page<{ code: string; name: string }>, never, never, Paging> };
  '/v1/tree': { get: Call<Page<TreeNode>, never, never, Paging> };
}

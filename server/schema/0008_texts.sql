-- Texts: which route took one, what it cost, who can be texted, and whose a gateway's report is.
-- Older code may still run: yes. It claims no texts, and asks for a reach that knows none.

ALTER TABLE delivery
  ADD COLUMN route text,            -- the SMS route that last had it
  ADD COLUMN parts smallint,        -- how many messages the text was, counted before sending
  ADD COLUMN price_micro bigint,    -- millionths of the currency, for all parts of all tries
  ADD COLUMN currency text;
CREATE INDEX delivery_text ON delivery (delivery_id) WHERE channel = 'sms';
CREATE INDEX delivery_provider ON delivery (route, provider_id) WHERE route IS NOT NULL;
CREATE INDEX delivery_spent ON delivery (attempted_at) WHERE route IS NOT NULL;

-- The number a person is texted at: her first that a route serves. `texted` are the prefixes
-- of the configured routes; none of them: nobody is texted.
CREATE FUNCTION text_rank(person int, texted text[]) RETURNS smallint
  LANGUAGE sql STABLE
  AS $$ SELECT c.rank FROM contact_point c
        WHERE c.operation_id = current_operation() AND c.person_id = person
          AND EXISTS (SELECT FROM unnest(texted) AS t (prefix) WHERE starts_with(c.phone, t.prefix))
        ORDER BY c.rank LIMIT 1 $$;

-- The best way to each of some persons now, with texts: push, sms, warden or none.
CREATE FUNCTION reach_of(persons int[], texted text[]) RETURNS TABLE (person_id int, reach text)
  LANGUAGE sql STABLE
  AS $$ SELECT r.person_id,
               CASE WHEN r.reach <> 'push' AND cardinality(texted) > 0
                      AND text_rank(r.person_id, texted) IS NOT NULL THEN 'sms'
                    ELSE r.reach END
        FROM reach_of(persons) r $$;

-- Which delivery a gateway's report is about: by our id, else by the provider's.
CREATE FUNCTION delivery_of_report(by_route text, ours uuid, theirs text)
  RETURNS TABLE (operation_id int, delivery_id uuid)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ SELECT d.operation_id, d.delivery_id FROM delivery d
        WHERE d.channel = 'sms' AND d.delivery_id = ours
        UNION
        SELECT d.operation_id, d.delivery_id FROM delivery d
        WHERE ours IS NULL AND d.route = by_route AND d.provider_id = theirs $$;

-- What each route was charged for since the day began (UTC), in all operations: its cap is one.
CREATE FUNCTION texts_spent() RETURNS TABLE (route text, micro bigint)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ SELECT d.route, sum(d.price_micro)::bigint FROM delivery d
        WHERE d.route IS NOT NULL
          AND d.attempted_at >= date_trunc('day', clock_timestamp(), 'UTC')
        GROUP BY d.route $$;

GRANT CREATE ON SCHEMA public TO muster_definer;
ALTER FUNCTION delivery_of_report(text, uuid, text) OWNER TO muster_definer;
ALTER FUNCTION texts_spent() OWNER TO muster_definer;
REVOKE CREATE ON SCHEMA public FROM muster_definer;

-- State history and the rest of the log have times of their own to be kept: what is too old of one is found without
-- walking over what is kept of the other.
CREATE INDEX event_state_at ON event (at) WHERE kind = 'state';
CREATE INDEX event_other_at ON event (at) WHERE kind <> 'state';

-- Downtimes that are over, by when they ended.
CREATE INDEX downtime_ended ON downtime (ended) WHERE ended IS NOT NULL;

-- A message that goes asks which deliveries it told of.
CREATE INDEX delivery_digest ON delivery (digest);

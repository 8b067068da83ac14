-- What people did with an alarm, and what they said.
CREATE TABLE alarm_note (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    alarm  INTEGER NOT NULL,
    at     INTEGER NOT NULL,
    author TEXT NOT NULL,
    what   TEXT NOT NULL, -- in words; empty: a comment
    text   TEXT NOT NULL
) STRICT;
CREATE INDEX alarm_note_alarm ON alarm_note (alarm, id);
-- A report asks for those of a time.
CREATE INDEX alarm_first ON alarm (first);
-- Not for a row that is replaced: its alarm is still there.
CREATE TRIGGER alarm_goes AFTER DELETE ON alarm BEGIN
    DELETE FROM alarm_note WHERE alarm = old.id;
END;

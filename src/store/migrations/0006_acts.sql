-- What rules have done about a running problem, beside its ticket.
ALTER TABLE status ADD COLUMN acts TEXT; -- [7, [["dba-hook", "ana", 1700000000000000, 1], …]]: problem; rule, to whom, when, how often

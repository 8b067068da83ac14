-- Where the telling of a problem stands, beyond its number.
ALTER TABLE status ADD COLUMN next_notification INTEGER; -- no repeat before this
ALTER TABLE status ADD COLUMN look_again INTEGER; -- when the object is looked at without a result
ALTER TABLE status ADD COLUMN told TEXT; -- [["ana", 2, true], …]: who, the number, and whether the end is told too
ALTER TABLE status ADD COLUMN held TEXT; -- {"kind", "hold", "until", "about"}: what holds the next message back

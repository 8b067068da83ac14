-- What the configuration lost and may find again: remembered until it is forgotten. Its status stays where it is.
CREATE TABLE absent (
    object INTEGER PRIMARY KEY REFERENCES object (id),
    since  INTEGER NOT NULL
) STRICT;

-- What people know: Markdown. A number is never used again.
CREATE TABLE document (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    title    TEXT NOT NULL,
    text     TEXT NOT NULL,
    keywords TEXT NOT NULL,
    author   TEXT NOT NULL, -- of the first version
    created  INTEGER NOT NULL,
    editor   TEXT NOT NULL, -- of the last
    updated  INTEGER NOT NULL,
    version  INTEGER NOT NULL DEFAULT 1,
    review   INTEGER, -- when somebody is to see whether it still holds
    deleted  INTEGER -- a tombstone: what it said is gone
) STRICT;
CREATE INDEX document_review ON document (review) WHERE deleted IS NULL;
CREATE INDEX document_updated ON document (updated);

-- Every version there was, the newest too.
CREATE TABLE document_version (
    document INTEGER NOT NULL REFERENCES document (id),
    version  INTEGER NOT NULL,
    title    TEXT NOT NULL,
    text     TEXT NOT NULL,
    keywords TEXT NOT NULL,
    author   TEXT NOT NULL,
    at       INTEGER NOT NULL,
    PRIMARY KEY (document, version)
) STRICT, WITHOUT ROWID;

-- What it is about: host, group, network, service (`HTTP`, or `web01/HTTP`), check, type, ticket (`AVA01`), rule.
CREATE TABLE document_link (
    document INTEGER NOT NULL REFERENCES document (id),
    kind     TEXT NOT NULL,
    name     TEXT NOT NULL COLLATE NOCASE,
    PRIMARY KEY (document, kind, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX document_link_name ON document_link (kind, name);

-- Words and their beginnings, accents or not.
CREATE VIRTUAL TABLE document_text USING fts5(title, keywords, text, tokenize='unicode61 remove_diacritics 2');

ALTER TABLE attachment ADD COLUMN document INTEGER REFERENCES document (id);
CREATE INDEX attachment_document ON attachment (document, id);

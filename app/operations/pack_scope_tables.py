"""The scratch tables in which the scope of a pack is found, and the statements that find it, in SQLite's words.

`is_ours`: about a service of the pack. `is_near`: in the period, or so near that a window may join them. `place` orders
streams as they began. `heard`: what must be in, for something of it was recorded in the period. Instants are
microseconds.
"""

SCHEMA = """
CREATE TABLE near_miss (id TEXT PRIMARY KEY, place INTEGER, is_ours INTEGER, is_near INTEGER) WITHOUT ROWID;
CREATE TABLE member (near_miss TEXT, escalation TEXT, PRIMARY KEY (near_miss, escalation)) WITHOUT ROWID;
CREATE INDEX member_of ON member (escalation);
CREATE TABLE escalation (
    id TEXT PRIMARY KEY, place INTEGER, is_ours INTEGER, raised_at INTEGER, closed_at INTEGER, crossed INTEGER,
    rule TEXT, key_text TEXT
) WITHOUT ROWID;
CREATE TABLE child (stream TEXT PRIMARY KEY, of TEXT) WITHOUT ROWID;
CREATE TABLE governance (
    id TEXT PRIMARY KEY, is_ours INTEGER, overlaps INTEGER, opened_at INTEGER, closed_at INTEGER
) WITHOUT ROWID;
CREATE TABLE deferred (rule TEXT, key_text TEXT, near_miss TEXT, PRIMARY KEY (rule, key_text, near_miss)) WITHOUT ROWID;
CREATE TABLE watch (
    stream TEXT, rule TEXT, key_text TEXT, is_near INTEGER, PRIMARY KEY (stream, is_near)
) WITHOUT ROWID;
CREATE TABLE signal (id TEXT PRIMARY KEY, is_ours INTEGER, raised_at INTEGER, answered_at INTEGER) WITHOUT ROWID;
CREATE TABLE intake (stream TEXT, near_miss TEXT, PRIMARY KEY (stream, near_miss)) WITHOUT ROWID;
CREATE TABLE heard (stream TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE direct (stream TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE stream (name TEXT PRIMARY KEY, kind TEXT, id TEXT, place INTEGER) WITHOUT ROWID;
CREATE INDEX of_kind ON stream (kind, place, id);
"""

HEARD = """
INSERT OR IGNORE INTO heard SELECT c.of FROM child AS c JOIN heard AS h ON h.stream = c.stream;
INSERT OR IGNORE INTO heard SELECT c.of FROM child AS c JOIN heard AS h ON h.stream = c.stream;
UPDATE near_miss SET is_near = 1 WHERE 'near_miss/' || id IN (SELECT stream FROM heard);
UPDATE escalation SET crossed = 1 WHERE 'escalation/' || id IN (SELECT stream FROM heard);
UPDATE governance SET overlaps = 1 WHERE 'governance_review/' || id IN (SELECT stream FROM heard);
"""
"""An action is in with its review, that with its escalation."""

REST = """
INSERT OR IGNORE INTO stream SELECT 'governance_review/' || id, '', id, opened_at FROM governance;
INSERT OR IGNORE INTO stream SELECT stream, '', stream, 0 FROM heard;
"""
"""What a pack of all services has besides: without a kind, for no member lists it."""

TOUCHED = """
INSERT OR IGNORE INTO stream SELECT 'escalation/' || id, 'escalation', id, place FROM escalation AS e
WHERE is_ours AND (crossed OR (raised_at < :until AND (closed_at IS NULL OR closed_at >= :since - :cooldown)))
OR EXISTS (SELECT 1 FROM member AS m JOIN near_miss AS n ON n.id = m.near_miss
           WHERE m.escalation = e.id AND n.is_ours AND n.is_near);
INSERT OR IGNORE INTO stream SELECT 'near_miss/' || id, 'near_miss', id, place FROM near_miss AS n
WHERE is_ours AND (is_near OR EXISTS (
    SELECT 1 FROM member AS m JOIN stream AS s ON s.name = 'escalation/' || m.escalation WHERE m.near_miss = n.id));
INSERT OR IGNORE INTO stream SELECT 'governance_review/' || id, 'governance_review', id, opened_at FROM governance
WHERE is_ours AND (overlaps OR (opened_at >= :since AND opened_at < :until)
                   OR (closed_at >= :since AND closed_at < :until));
INSERT OR IGNORE INTO stream SELECT 'signal/' || id, 'signal', id, raised_at FROM signal
WHERE is_ours AND raised_at < :until AND (answered_at IS NULL OR answered_at >= :since);
INSERT OR IGNORE INTO stream SELECT i.stream, 'intake', i.stream, 0 FROM intake AS i
JOIN stream AS s ON s.name = 'near_miss/' || i.near_miss;
INSERT OR IGNORE INTO stream SELECT w.stream, 'watch', w.stream, 0 FROM watch AS w
WHERE (w.is_near AND :all) OR EXISTS (
    SELECT 1 FROM escalation AS e JOIN stream AS s ON s.name = 'escalation/' || e.id
    WHERE e.rule = w.rule AND e.key_text = w.key_text)
OR EXISTS (SELECT 1 FROM deferred AS d JOIN stream AS s ON s.name = 'near_miss/' || d.near_miss
           WHERE d.rule = w.rule AND d.key_text = w.key_text);
INSERT OR IGNORE INTO stream SELECT stream, '', stream, 0 FROM direct;
"""

CHILDREN = """
INSERT OR IGNORE INTO stream
SELECT c.stream, substr(c.stream, 1, instr(c.stream, '/') - 1), substr(c.stream, instr(c.stream, '/') + 1), s.place
FROM child AS c JOIN stream AS s ON s.name = c.of WHERE s.kind = ?
"""

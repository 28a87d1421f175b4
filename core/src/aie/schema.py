"""The journal's tables. One file, one writer; everything else is rebuilt from it."""

VERSION = 2

TABLES = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- (source, event_id) is what makes the same fact arrive once. The id comes first: people look for it alone.
CREATE TABLE event (
    seq INTEGER PRIMARY KEY,
    source TEXT NOT NULL,
    event_id TEXT NOT NULL,
    event_type TEXT NOT NULL,
    timestamp TEXT NOT NULL,
    received_at TEXT NOT NULL,
    workflow_id TEXT,             -- the one workflow it is addressed to
    depth INTEGER NOT NULL,       -- how many events in a chain led to it
    data TEXT NOT NULL,
    UNIQUE (event_id, source)
);
CREATE INDEX event_by_type ON event (event_type, seq);

-- What is left for ever of an event that retention took away: 16 bytes made of its source and id.
CREATE TABLE seen (key BLOB PRIMARY KEY) WITHOUT ROWID;

CREATE TABLE definition (hash TEXT PRIMARY KEY, workflow_id TEXT NOT NULL, body TEXT NOT NULL) WITHOUT ROWID;

CREATE TABLE run (
    seq INTEGER PRIMARY KEY,
    run_id TEXT NOT NULL UNIQUE,
    event_seq INTEGER NOT NULL REFERENCES event (seq),
    workflow_id TEXT NOT NULL,
    generation INTEGER NOT NULL DEFAULT 0,   -- 0 for the run the event started; more for runs a person started again
    hash TEXT NOT NULL REFERENCES definition (hash),
    status TEXT NOT NULL,
    created_at TEXT NOT NULL,
    changed_at TEXT NOT NULL,
    wake_at TEXT,
    error TEXT,
    UNIQUE (event_seq, workflow_id, generation)
);
CREATE INDEX run_by_workflow ON run (workflow_id, seq);
CREATE INDEX run_open ON run (status, seq) WHERE status NOT IN ('succeeded', 'failed', 'cancelled');
CREATE INDEX run_failed ON run (status, seq) WHERE status IN ('failed', 'cancelled');

-- How many runs each definition has had, and how many of them are still kept; the first outlives them.
CREATE TABLE tally (
    hash TEXT PRIMARY KEY, workflow_id TEXT NOT NULL, runs INTEGER NOT NULL, kept INTEGER NOT NULL,
    last_started TEXT NOT NULL
) WITHOUT ROWID;
CREATE TRIGGER run_counted AFTER INSERT ON run BEGIN
    INSERT INTO tally VALUES (new.hash, new.workflow_id, 1, 1, new.created_at) ON CONFLICT DO UPDATE
    SET runs = runs + 1, kept = kept + 1, last_started = max(last_started, excluded.last_started);
END;
CREATE TRIGGER run_moved AFTER UPDATE OF hash ON run WHEN old.hash <> new.hash BEGIN
    UPDATE tally SET kept = kept - 1 WHERE hash = old.hash;
    INSERT INTO tally VALUES (new.hash, new.workflow_id, 0, 1, new.created_at) ON CONFLICT DO UPDATE
    SET kept = kept + 1;
END;
CREATE TRIGGER run_forgotten AFTER DELETE ON run BEGIN
    UPDATE tally SET kept = kept - 1 WHERE hash = old.hash;
    DELETE FROM rerun WHERE run_seq = old.seq;
END;

-- What a run has of its own that a person started again: generation 1 and more.
CREATE TABLE rerun (
    run_seq INTEGER PRIMARY KEY REFERENCES run (seq),
    of_run TEXT NOT NULL,         -- the id of the run that is done again
    by TEXT NOT NULL,
    since TEXT,                   -- the step from which on all is done anew; NULL: from where the other one failed
    data TEXT,                    -- the event's data where it was changed
    changes TEXT NOT NULL,        -- each change: path, before, after
    earlier TEXT NOT NULL         -- by position: what the machine must know of earlier runs
);

CREATE TABLE step (
    run_seq INTEGER NOT NULL REFERENCES run (seq),
    position INTEGER NOT NULL,
    status TEXT NOT NULL,
    at TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    params TEXT,
    result TEXT,
    error TEXT,
    wake_at TEXT,
    approval_id TEXT,
    approval TEXT,
    PRIMARY KEY (run_seq, position)
) WITHOUT ROWID;

CREATE TABLE approval (
    approval_id TEXT PRIMARY KEY,
    run_seq INTEGER NOT NULL REFERENCES run (seq),
    position INTEGER NOT NULL,
    action_type TEXT NOT NULL,
    note_kind TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    digest TEXT NOT NULL,         -- of the parameters that were shown
    definition_hash TEXT NOT NULL,
    reason TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'rejected', 'expired', 'cancelled')),
    requested_at TEXT NOT NULL,
    expires_at TEXT,
    decided_at TEXT,
    decided_by TEXT,
    channel TEXT,
    evidence TEXT,
    comment TEXT,
    rule TEXT NOT NULL,               -- of aie.toml, '' when it is the action that asks
    required_channel TEXT NOT NULL,   -- '' for any
    problem TEXT NOT NULL,            -- with the rules
    editable TEXT NOT NULL,           -- JSON, names of parameters
    body_field TEXT NOT NULL,
    source_note TEXT NOT NULL,
    edits TEXT                        -- JSON, of the person who approved
) WITHOUT ROWID;
CREATE INDEX approval_pending ON approval (requested_at, run_seq, position) WHERE state = 'pending';
CREATE INDEX approval_decided ON approval (decided_at) WHERE state <> 'pending';
CREATE INDEX approval_of_run ON approval (run_seq);

-- What rules allowed without asking, so that their limits can be kept.
CREATE TABLE rule_use (
    run_seq INTEGER NOT NULL, position INTEGER NOT NULL, rule TEXT NOT NULL, at TEXT NOT NULL, amount TEXT NOT NULL,
    PRIMARY KEY (run_seq, position)
) WITHOUT ROWID;
CREATE INDEX rule_use_by_time ON rule_use (rule, at);

-- How often aie died while a run was under way; only runs that are under way still have a row.
CREATE TABLE crash (run_seq INTEGER PRIMARY KEY REFERENCES run (seq), count INTEGER NOT NULL);

CREATE TABLE audit (seq INTEGER PRIMARY KEY, text TEXT NOT NULL, prev TEXT NOT NULL, hash TEXT NOT NULL);

-- Every so many audit records: events with numbers after event_seq have theirs after audit_seq.
CREATE TABLE mark (audit_seq INTEGER PRIMARY KEY, event_seq INTEGER NOT NULL, at TEXT NOT NULL);

-- Where each source, sink and channel stands.
CREATE TABLE cursor (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

-- A person's word on a workflow outweighs its file.
CREATE TABLE switch (workflow_id TEXT PRIMARY KEY, enabled INTEGER NOT NULL, at TEXT NOT NULL) WITHOUT ROWID;

-- Requests of other commands to the engine that is running; it answers in the same row.
CREATE TABLE intake (id INTEGER PRIMARY KEY AUTOINCREMENT, request TEXT NOT NULL, at TEXT NOT NULL, answer TEXT);
CREATE INDEX intake_open ON intake (id) WHERE answer IS NULL;
"""

# In the order in which a group of transactions writes them: what is referred to comes first.
ADD_EVENT = "INSERT INTO event VALUES (?,?,?,?,?,?,?,?,?)"
ADD_DEFINITION = "INSERT INTO definition VALUES (?,?,?) ON CONFLICT DO NOTHING"
ADD_RUN = "INSERT INTO run VALUES (?,?,?,?,?,?,?,?,?,?,?)"
ADD_RERUN = "INSERT INTO rerun VALUES (?,?,?,?,?,?,?)"
MOVE_RUN = "UPDATE run SET hash=? WHERE seq=?"
MOVE_APPROVAL = "UPDATE approval SET definition_hash=? WHERE approval_id=?"
PUT_STEP = "INSERT OR REPLACE INTO step VALUES (?,?,?,?,?,?,?,?,?,?,?)"
SET_RUN = "UPDATE run SET status=?, changed_at=?, wake_at=?, error=? WHERE seq=?"
ADD_APPROVAL = "INSERT INTO approval VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO NOTHING"
SET_APPROVAL = (
    "UPDATE approval SET state=?, decided_at=?, decided_by=?, channel=?, evidence=?, comment=?, title=?, body=?,"
    " digest=?, edits=?"
    " WHERE approval_id=? AND state='pending'"
)
CANCEL_APPROVALS = (
    "UPDATE approval SET state='cancelled', decided_at=?, decided_by=? WHERE run_seq=? AND state='pending'"
)
ADD_RULE_USE = "INSERT INTO rule_use VALUES (?,?,?,?,?) ON CONFLICT DO NOTHING"
DROP_RULE_USES = "DELETE FROM rule_use WHERE run_seq=?"
COUNT_CRASH = "INSERT INTO crash VALUES (?, 1) ON CONFLICT DO UPDATE SET count = count + 1"
FORGET_CRASHES = (
    "DELETE FROM crash WHERE run_seq NOT IN (SELECT seq FROM run WHERE status = 'running'"
    " AND status NOT IN ('succeeded', 'failed', 'cancelled'))"
)
PUT_CURSOR = "INSERT OR REPLACE INTO cursor VALUES (?,?)"
PUT_SWITCH = "INSERT OR REPLACE INTO switch VALUES (?,?,?)"
PRUNE_INTAKE = "DELETE FROM intake WHERE answer IS NOT NULL AND at < ?"
ANSWER = "UPDATE intake SET answer=? WHERE id=?"
ADD_AUDIT = "INSERT INTO audit VALUES (?,?,?,?)"

# What retention does.
DROP_STEPS = "DELETE FROM step WHERE run_seq=? AND position<?"
DROP_APPROVALS = "DELETE FROM approval WHERE run_seq=?"
DROP_CRASHES = "DELETE FROM crash WHERE run_seq=?"
DROP_RUN = "DELETE FROM run WHERE seq=?"
ADD_SEEN = "INSERT INTO seen VALUES (?) ON CONFLICT DO NOTHING"
DROP_EVENT = "DELETE FROM event WHERE seq=?1 AND NOT EXISTS (SELECT 1 FROM run WHERE event_seq=?1)"
DROP_DEFINITION = "DELETE FROM definition WHERE hash=?1 AND NOT EXISTS (SELECT 1 FROM tally WHERE hash=?1 AND kept > 0)"
DROP_REQUEST = "DELETE FROM intake WHERE id=? AND answer IS NOT NULL"
PUT_META = "INSERT OR REPLACE INTO meta VALUES (?,?)"
ADD_MARK = "INSERT OR REPLACE INTO mark VALUES (?,?,?)"
DROP_MARKS = "DELETE FROM mark WHERE audit_seq<?"
DROP_AUDIT = "DELETE FROM audit WHERE seq<=?"
GIVE_PAGES_BACK = "PRAGMA incremental_vacuum(100)"

WRITING_ORDER = (
    ADD_EVENT, ADD_DEFINITION, ADD_RUN, ADD_RERUN, MOVE_RUN, PUT_STEP, SET_RUN, ADD_APPROVAL, SET_APPROVAL,
    MOVE_APPROVAL, CANCEL_APPROVALS, ADD_RULE_USE,
    COUNT_CRASH, FORGET_CRASHES, PUT_CURSOR, PUT_SWITCH, ANSWER, PRUNE_INTAKE,
    DROP_STEPS, DROP_APPROVALS, DROP_RULE_USES, DROP_CRASHES,
    DROP_RUN, ADD_SEEN, DROP_EVENT, DROP_DEFINITION, DROP_REQUEST, PUT_META,
    DROP_MARKS, DROP_AUDIT, GIVE_PAGES_BACK,
)  # fmt: skip

//! The statements, with the names of one store's tables. Values are never part of them.
//!
//! They use what MySQL 8 and MariaDB 10.5 have in common: no `RETURNING`, no `SKIP LOCKED`, no `INSERT … AS`.

use crate::session::KEPT_FOR_LATE_USES;
use crate::time::millis;

/// The server's time in milliseconds, when this is evaluated: behind a wait for a lock, not before it.
const NOW: &str = "CAST(UNIX_TIMESTAMP(SYSDATE(3)) * 1000 AS SIGNED)";
/// The most that a statement with a list takes.
pub(super) const LIST: usize = 64;
/// Rows that one step of the sweep deletes at most.
pub(super) const SWEPT_AT_ONCE: i64 = 128;
/// What is read of a session, as `row.rs` has it.
const COLUMNS: &str = "s.`id`, s.`user`, s.`appid`, s.`openid`, s.`unionid`, s.`issued_at`, \
     s.`absolute_end`, s.`idle_timeout`, s.`idle_deadline`, s.`last_used`, s.`retires_at`, \
     s.`successor`, s.`data`, s.`reason`, s.`revoked_at`, s.`sweep_at`";
/// What is written of one; its name comes last.
const WRITTEN: [&str; 15] = [
    "user",
    "appid",
    "openid",
    "unionid",
    "issued_at",
    "absolute_end",
    "idle_timeout",
    "idle_deadline",
    "last_used",
    "retires_at",
    "successor",
    "data",
    "reason",
    "revoked_at",
    "sweep_at",
];
/// As `Record::hard_end` has it.
const HARD_END: &str = "LEAST(COALESCE(`retires_at`, `absolute_end`), `absolute_end`)";
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

#[derive(Debug)]
pub(super) struct Statements {
    prefix: String,
    kept_until: String,
    /// The time, and whether the server is to be read only.
    pub(super) now: String,
    /// Takes the lock on a user.
    pub(super) lock: String,
    /// Takes the lock on the user of a session; no row if the session was revoked or is not known.
    pub(super) lock_by_session: String,
    /// The time, and the sessions of a user who is locked, which are locked then.
    pub(super) sessions_of_locked: String,
    /// The same by one of the sessions.
    pub(super) line_of_locked: String,
    /// The time, and the sessions of a user.
    pub(super) sessions_of: String,
    pub(super) insert: String,
    pub(super) touch: String,
    pub(super) announce: String,
    /// The names of changes since a time.
    pub(super) changes_since: String,
    /// The sessions that `end` has ended since a time, which is negative.
    pub(super) ended_since: String,
    pub(super) session_keys: String,
    pub(super) put_session_keys: String,
    pub(super) tag_keys: String,
    pub(super) add_tag_key: String,
    pub(super) trial: String,
    pub(super) postpone: String,
    pub(super) sweep_ended: Sweep,
    pub(super) sweep_sessions: Sweep,
    pub(super) sweep_users: Sweep,
    pub(super) sweep_changes: Sweep,
}

/// What deletes the old rows of a table, in steps.
///
/// Each takes times as values: with `SYSDATE` in a condition a server goes through the whole index. The first
/// is there because an index has what was deleted for some time, and a server that counts that as well may choose to
/// read the whole table.
#[derive(Debug)]
pub(super) struct Sweep {
    /// How many rows are due between two times, up to a step, how many of them are over, and from when to when.
    pub(super) due: String,
    /// Deletes so many of them and no more: what looks for one more locks the next row, or waits for it. Those that
    /// have ended get their place among the others instead.
    pub(super) settle: String,
}

impl Statements {
    pub(super) fn new(prefix: &str) -> Self {
        let [session, user, change, tag_key] =
            ["sessions", "users", "changes", "tag_keys"].map(|name| format!("`{prefix}_{name}`"));
        let late = millis(KEPT_FOR_LATE_USES);
        // As `Record::kept_until` has it.
        let kept_until = format!(
            "LEAST(`idle_deadline` + GREATEST(`idle_timeout`, {late}), {HARD_END} + `idle_timeout`)"
        );
        // A row without session_keys is but a lock: it goes in a day or two, and comes again.
        let until = format!("({NOW} DIV {DAY_MS} + 2) * {DAY_MS}");
        Self {
            prefix: prefix.to_owned(),
            kept_until: kept_until.clone(),
            now: format!("SELECT {NOW}, CAST(@@GLOBAL.read_only AS CHAR)"),
            lock: format!(
                "INSERT INTO {user} (`user`, `until`) VALUES (?, {until}) \
                 ON DUPLICATE KEY UPDATE `until` = GREATEST({user}.`until`, VALUES(`until`))"
            ),
            lock_by_session: format!(
                "INSERT INTO {user} (`user`, `until`) \
                 SELECT `user`, {until} FROM {session} WHERE `id` = ? AND `user` IS NOT NULL \
                 ON DUPLICATE KEY UPDATE `until` = GREATEST({user}.`until`, VALUES(`until`))"
            ),
            sessions_of_locked: format!(
                "SELECT {NOW}, {COLUMNS} \
                 FROM {user} u LEFT JOIN {session} s ON s.`user` = u.`user` \
                 WHERE u.`user` = ? FOR UPDATE"
            ),
            line_of_locked: format!(
                "SELECT {NOW}, {COLUMNS} \
                 FROM {session} one JOIN {session} s ON s.`user` = one.`user` \
                 WHERE one.`id` = ? FOR UPDATE"
            ),
            sessions_of: format!("SELECT {NOW}, {COLUMNS} FROM {session} s WHERE s.`user` = ?"),
            insert: format!(
                "INSERT INTO {session} (`{}`, `id`) VALUES ({})",
                WRITTEN.join("`, `"),
                marks(WRITTEN.len() + 1),
            ),
            touch: touch(&session, &kept_until),
            announce: format!("INSERT INTO {change} (`at`, `sessions`) VALUES ({NOW}, ?)"),
            changes_since: format!("SELECT `id` FROM {change} WHERE `at` >= ?"),
            ended_since: format!(
                "SELECT `id` FROM {session} FORCE INDEX (`sweep_at`) WHERE `sweep_at` <= ?"
            ),
            session_keys: format!("SELECT {NOW}, `session_keys` FROM {user} WHERE `user` = ?"),
            put_session_keys: format!(
                "UPDATE {user} SET `session_keys` = ?, `until` = GREATEST(`until`, ?) WHERE `user` = ?"
            ),
            tag_keys: format!("SELECT `tag_key` FROM {tag_key}"),
            add_tag_key: format!("INSERT INTO {tag_key} (`tag_key`) VALUES (?)"),
            trial: format!("INSERT INTO {user} (`user`, `until`) VALUES (?, 0)"),
            postpone: format!(
                "UPDATE {session} SET `sweep_at` = {kept_until} \
                 WHERE `sweep_at` BETWEEN ? AND ? AND `user` IS NOT NULL AND {kept_until} > {NOW} \
                 ORDER BY `sweep_at` LIMIT ?"
            ),
            sweep_ended: Sweep {
                due: due(&session, "sweep_at", "TRUE"),
                settle: format!(
                    "UPDATE {session} SET `sweep_at` = `absolute_end` WHERE `sweep_at` BETWEEN ? AND ? \
                     ORDER BY `sweep_at` LIMIT ?"
                ),
            },
            sweep_sessions: sweep(
                &session,
                "sweep_at",
                &format!("(`user` IS NULL OR {kept_until} <= {NOW})"),
            ),
            sweep_users: sweep(&user, "until", "TRUE"),
            sweep_changes: sweep(&change, "at", "TRUE"),
        }
    }

    /// The time, and sessions by a list of names: `names` of them.
    pub(super) fn sessions(&self, names: usize) -> String {
        let marks = marks(names);
        let prefix = &self.prefix;
        format!("SELECT {NOW}, {COLUMNS} FROM `{prefix}_sessions` s WHERE s.`id` IN ({marks})")
    }

    /// One conditional update, by the rules of `Ledger::revoke`: no user finds the sessions then, and no touch; nobody's
    /// name is left. `absolute_end` comes first, because each column is assigned before the next one is looked at:
    /// until when the reason is kept. `sweep_at` says when it has ended, and is negative, where links look.
    pub(super) fn end(&self, names: usize) -> String {
        let (prefix, kept_until, are_ended) = (&self.prefix, &self.kept_until, self.ended(names));
        format!(
            "UPDATE `{prefix}_sessions` FORCE INDEX (PRIMARY) \
             SET `absolute_end` = GREATEST(`absolute_end`, {kept_until}), `sweep_at` = -{NOW}, \
             `user` = NULL, `appid` = NULL, `openid` = NULL, `unionid` = NULL, `data` = NULL, \
             `reason` = ?, `revoked_at` = {NOW} WHERE {are_ended}"
        )
    }

    /// Locks those that would be ended, and names them, unless another transaction has a lock on one of them.
    pub(super) fn lock_to_end(&self, names: usize) -> String {
        let (prefix, are_ended) = (&self.prefix, self.ended(names));
        // By the names whatever the optimizer thinks: a scan would meet the locks of others.
        format!(
            "SELECT `id` FROM `{prefix}_sessions` FORCE INDEX (PRIMARY) WHERE {are_ended} FOR UPDATE NOWAIT"
        )
    }

    fn ended(&self, names: usize) -> String {
        let (kept_until, marks) = (&self.kept_until, marks(names));
        format!(
            "`id` IN ({marks}) AND `user` IS NOT NULL AND `successor` IS NULL AND `issued_at` <= ? \
             AND {NOW} < {kept_until}"
        )
    }

    /// Overwrites so many sessions that are there and locked: the way to do that with one statement.
    pub(super) fn overwrite(&self, sessions: usize) -> String {
        let row = format!("({}), ", marks(WRITTEN.len() + 1)).repeat(sessions);
        let rows = row.trim_end_matches(", ");
        let update = WRITTEN.map(|column| format!("`{column}` = VALUES(`{column}`)"));
        format!(
            "INSERT INTO `{}_sessions` (`{}`, `id`) VALUES {rows} ON DUPLICATE KEY UPDATE {}",
            self.prefix,
            WRITTEN.join("`, `"),
            update.join(", "),
        )
    }

    /// Changes by a list of names.
    pub(super) fn changes(&self, names: usize) -> String {
        let (prefix, marks) = (&self.prefix, marks(names));
        format!("SELECT `sessions` FROM `{prefix}_changes` WHERE `id` IN ({marks})")
    }
}

/// One conditional update, by the rules of `Record::touch`. `last_used` comes first, because each column is
/// assigned before the next one is looked at. The new deadline comes back as the answer's last id.
fn touch(session: &str, kept_until: &str) -> String {
    let used_at = format!("LEAST(?, {NOW})");
    format!(
        "UPDATE {session} SET `last_used` = GREATEST(COALESCE(`last_used`, 0), {used_at}), \
         `idle_deadline` = LAST_INSERT_ID(GREATEST(`idle_deadline`, {used_at} + `idle_timeout` + ?)) \
         WHERE `id` = ? AND `user` IS NOT NULL AND {NOW} < {kept_until} \
         AND LEAST(?, {used_at}) <= `idle_deadline` AND {used_at} < {HARD_END} \
         AND `idle_deadline` <= ? + `idle_timeout`"
    )
}

fn due(table: &str, column: &str, is_over: &str) -> String {
    format!(
        "SELECT COUNT(*), COUNT(NULLIF(d.`is_over`, 0)), COALESCE(MIN(d.`{column}`), 0), \
         COALESCE(MAX(d.`{column}`), 0) FROM (SELECT `{column}`, {is_over} AS `is_over` \
         FROM {table} WHERE `{column}` BETWEEN ? AND ? ORDER BY `{column}` LIMIT {SWEPT_AT_ONCE}) d"
    )
}

fn sweep(table: &str, column: &str, is_over: &str) -> Sweep {
    Sweep {
        due: due(table, column, is_over),
        settle: format!(
            "DELETE FROM {table} WHERE `{column}` BETWEEN ? AND ? AND {is_over} \
             ORDER BY `{column}` LIMIT ?"
        ),
    }
}

fn marks(count: usize) -> String {
    let mut marks = "?, ".repeat(count);
    marks.truncate(marks.len().saturating_sub(2));
    marks
}

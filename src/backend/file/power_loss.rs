//! A disk that loses its power: of what was not synced, each sector is on it or not.

use std::collections::HashMap;
use std::io::{Error, ErrorKind};
use std::sync::Arc;

use redb::{Database, StorageBackend};

use super::bounded::Bounded;
use super::fault::Fault;
use super::opening;
use super::tables;
use super::transaction::{Transaction, transact};
use crate::identity::Identity;
use crate::session::Record;
use crate::store::{EndReason, Insert, Loaded, Revoke, RevokeReason};
use crate::sync::Lock;
use crate::time::Clock;
use crate::token::SessionId;

const FILES: usize = 3;
/// Of each file.
const LOSSES: usize = 10;
/// Syncs from one loss to the next. It happens in the middle of one: that leaves whatever any other moment would.
const LONGEST_RUN: u64 = 40;
/// The same once the file has grown.
const AFTER_GROWTH: u64 = 2;
const SECTOR: usize = 512;
const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);

/// Numbers that look random, the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) % end
    }
}

#[derive(Clone, Debug, Default)]
struct Drive(Arc<Lock<Sectors>>);

#[derive(Debug, Default)]
struct Sectors {
    /// As whoever reads it sees it.
    bytes: Vec<u8>,
    synced: Vec<u8>,
    unsynced: Vec<Change>,
    /// Syncs until the power goes.
    left: Option<u64>,
    after_growth: u64,
    is_dead: bool,
}

#[derive(Clone, Debug)]
enum Change {
    Length(usize),
    Write(usize, Vec<u8>),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Length(length) => bytes.resize(*length, 0),
            // Behind the end, if that was not moved: it is lost.
            Self::Write(at, data) => {
                if let Some(sector) = bytes.get_mut(*at..at + data.len()) {
                    sector.copy_from_slice(data);
                }
            }
        }
    }
}

impl Sectors {
    fn change(&mut self, change: Change) -> Result<(), Error> {
        if self.is_dead {
            return Err(ErrorKind::BrokenPipe.into());
        }
        change.apply(&mut self.bytes);
        self.unsynced.push(change);
        Ok(())
    }
}

impl Drive {
    /// What is on it when the power is back.
    fn after_power_loss(&self, dice: &mut Dice) -> Self {
        let before = self.0.lock();
        let mut bytes = before.synced.clone();
        for change in &before.unsynced {
            // A system is in no hurry with the length of a file.
            let is_kept = match change {
                Change::Length(_) => dice.below(4) == 0,
                Change::Write(..) => dice.below(2) == 0,
            };
            if is_kept {
                change.apply(&mut bytes);
            }
        }
        let sectors = Sectors {
            synced: bytes.clone(),
            bytes,
            unsynced: Vec::new(),
            left: Some(dice.below(LONGEST_RUN)),
            after_growth: dice.below(AFTER_GROWTH),
            is_dead: false,
        };
        Self(Arc::new(Lock::from(sectors)))
    }

    fn is_dead(&self) -> bool {
        self.0.lock().is_dead
    }
}

impl StorageBackend for Drive {
    fn len(&self) -> Result<u64, Error> {
        Ok(self.0.lock().bytes.len() as u64)
    }

    fn read(&self, offset: u64, len: usize) -> Result<Vec<u8>, Error> {
        let offset = offset as usize;
        let drive = self.0.lock();
        let read = drive.bytes.get(offset..offset + len);
        read.map(<[u8]>::to_vec)
            .ok_or_else(|| ErrorKind::UnexpectedEof.into())
    }

    fn set_len(&self, len: u64) -> Result<(), Error> {
        let mut drive = self.0.lock();
        if drive.bytes.len() < len as usize {
            let after_growth = drive.after_growth;
            drive.left = drive.left.map(|left| left.min(after_growth));
        }
        drive.change(Change::Length(len as usize))
    }

    fn sync_data(&self, _: bool) -> Result<(), Error> {
        let mut drive = self.0.lock();
        drive.is_dead |= drive.left == Some(0);
        if drive.is_dead {
            return Err(ErrorKind::BrokenPipe.into());
        }
        drive.left = drive.left.map(|left| left - 1);
        let Sectors {
            synced, unsynced, ..
        } = &mut *drive;
        for change in unsynced.drain(..) {
            change.apply(synced);
        }
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), Error> {
        let mut drive = self.0.lock();
        for (number, sector) in data.chunks(SECTOR).enumerate() {
            let at = offset as usize + number * SECTOR;
            drive.change(Change::Write(at, sector.to_vec()))?;
        }
        Ok(())
    }
}

/// What was asked for of a session, and what of that was acknowledged.
#[derive(Clone, Copy, Debug, Default)]
struct Session {
    is_issued: bool,
    end_begun: bool,
    is_ended: bool,
}

/// The sessions of all runs.
struct Trial {
    clock: Clock,
    sessions: HashMap<u64, Session>,
}

impl Trial {
    fn write(
        &self,
        database: &Database,
        operate: impl FnOnce(&mut Transaction<'_>) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        transact(database, &self.clock, &mut Vec::new(), operate)
    }

    /// Issues sessions and ends some of them, until the power goes.
    fn run(&mut self, database: &Database) -> Result<(), Fault> {
        loop {
            let number = self.sessions.len() as u64;
            self.sessions.insert(number, Session::default());
            let record = Record::issued(user(number), self.clock.now(), HOUR, HOUR, data());
            let insert = Insert::new(id(number), record);
            self.write(database, |writing| writing.insert(insert).map(drop))?;
            self.session(number).is_issued = true;
            if number.is_multiple_of(3) {
                self.session(number).end_begun = true;
                let revoke = Revoke::new(id(number), RevokeReason::KickedOut);
                self.write(database, |writing| writing.revoke(&revoke).map(drop))?;
                self.session(number).is_ended = true;
            }
        }
    }

    fn session(&mut self, number: u64) -> &mut Session {
        self.sessions.entry(number).or_default()
    }

    /// Each session is what was acknowledged.
    fn check(&self, database: &Database) -> Result<(), Fault> {
        let reading = database.begin_read()?;
        let table = reading.open_table(tables::SESSIONS)?;
        for (number, session) in &self.sessions {
            let stored = tables::session(&table, id(*number))?;
            let loaded = stored.map_or(Loaded::NeverSeen, |kept| kept.loaded(self.clock.now()));
            let is_over = loaded.end_reason() == Some(EndReason::KickedOut);
            let is_live = matches!(loaded, Loaded::Live(_));
            let is_right = match session {
                Session { is_ended: true, .. } => is_over,
                Session {
                    is_issued: true,
                    end_begun,
                    ..
                } => is_live || (*end_begun && is_over),
                _ => is_live || loaded == Loaded::NeverSeen,
            };
            assert!(is_right, "session {number} {session:?} is {loaded:?}");
        }
        Ok(())
    }
}

/// So much that the file grows several times.
fn data() -> Option<Arc<str>> {
    Some("x".repeat(15_000).into())
}

fn user(number: u64) -> Identity {
    Identity::new("appid", format!("openid-{number}"))
}

fn id(number: u64) -> SessionId {
    let mut id = [0; 18];
    id[..2].copy_from_slice(&user(number).bucket());
    id[10..].copy_from_slice(&number.to_be_bytes());
    SessionId::from_bytes(id)
}

fn open(drive: &Drive) -> Result<Database, Fault> {
    let opened = opening::check_all(Bounded::over(drive.clone())?)?;
    Ok(opened.expect("no damage"))
}

#[test]
fn what_was_acknowledged_outlives_a_loss_of_power() {
    let (mut dice, mut losses, mut ended) = (Dice(1), 0, 0);
    for _ in 0..FILES {
        let mut drive = Drive::default();
        drop(open(&drive).unwrap());
        let mut trial = Trial {
            clock: Clock::monotonic(),
            sessions: HashMap::new(),
        };
        for _ in 0..LOSSES {
            drive = drive.after_power_loss(&mut dice);
            let opened = match open(&drive) {
                Ok(opened) => opened,
                // As it was opened.
                Err(_) if drive.is_dead() => continue,
                Err(fault) => panic!("{fault:?}"),
            };
            trial.check(&opened).unwrap();
            trial.run(&opened).unwrap_err();
            losses += 1;
        }
        ended += trial.sessions.values().filter(|s| s.is_ended).count();
    }
    println!("{losses} losses in the middle of writes, {ended} sessions ended");
    assert!(losses > FILES * LOSSES / 2 && ended > FILES * LOSSES / 2);
}

use crate::stores::first_answer;
use crate::{
    Outcome, end_to_end, eviction, expiry, logins, machine, operations, outage, record, scale,
    steps, stores, table, threads,
};

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The ratios of the added cost, at one session and at 100 000.
    Table,
    /// What the steps of a hit take.
    Steps,
    /// The added cost against the number of live sessions.
    Scale,
    /// The throughput against the number of threads.
    Threads,
    /// The memory of a cached session.
    Memory,
    /// Latency while a million sessions expire at once.
    Expiry,
    /// Latency while Redis is down.
    Outage,
    /// What operations cost that talk to Redis, against plain commands.
    Redis,
    /// Logins a second, against tower-sessions.
    Logins,
    /// What a cold check takes of the processor where the store answers at once.
    Cold,
    /// What operations cost on a file and on SQL databases, against tower-sessions' stores.
    Stores,
    /// What a full cache costs the store, by what it gives up: counted.
    Eviction,
    /// What the hit table costs alone, and what could be the cache of record in moka's place.
    Record,
    /// What the layer takes from a server over loopback.
    EndToEnd,
}

impl Part {
    /// All parts, in the order they run.
    pub const ALL: [Self; 14] = [
        Self::Table,
        Self::Steps,
        Self::Scale,
        Self::Threads,
        Self::Memory,
        Self::Expiry,
        Self::Outage,
        Self::Redis,
        Self::Logins,
        Self::Cold,
        Self::Stores,
        Self::Eviction,
        Self::Record,
        Self::EndToEnd,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Steps => "steps",
            Self::Scale => "scale",
            Self::Threads => "threads",
            Self::Memory => "memory",
            Self::Expiry => "expiry",
            Self::Outage => "outage",
            Self::Redis => "redis",
            Self::Logins => "logins",
            Self::Cold => "cold",
            Self::Stores => "stores",
            Self::Eviction => "eviction",
            Self::Record => "record",
            Self::EndToEnd => "end_to_end",
        }
    }

    /// The parts that the arguments of a program name; all of them if there is none.
    ///
    /// # Errors
    ///
    /// If an argument names no part. What cargo adds, such as `--bench`, is passed over.
    pub fn wanted(arguments: impl Iterator<Item = String>) -> Result<Vec<Self>, String> {
        let names = arguments.filter(|argument| !argument.starts_with("--"));
        let wanted: Result<Vec<_>, _> = names.map(|name| Self::named(&name)).collect();
        wanted.map(|parts| match parts.is_empty() {
            true => Self::ALL.to_vec(),
            false => parts,
        })
    }

    fn named(name: &str) -> Result<Self, String> {
        let known = Self::ALL.iter().find(|part| part.name() == name);
        known.copied().ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("no part is called {name}: there are {names}")
        })
    }

    /// Runs the part in a program that counts no allocations: all but [`Memory`](Self::Memory).
    ///
    /// # Errors
    ///
    /// If a figure cannot be written, or what a part needs is missing.
    pub fn run(self) -> Outcome {
        match self {
            Self::Table => table::run(),
            Self::Steps => steps::run(),
            Self::Scale => scale::run(),
            Self::Threads => threads::run(),
            Self::Memory => Ok(()),
            Self::Expiry => expiry::run(),
            Self::Outage => outage::run(),
            Self::Redis => operations::run(),
            Self::Logins => logins::run(),
            Self::Cold => operations::processor::run(),
            Self::Stores => stores::run(),
            Self::Eviction => eviction::run(),
            Self::Record => record::run(),
            Self::EndToEnd => end_to_end::run(),
        }
    }

    /// Is the process that [`EndToEnd`](Self::EndToEnd) or [`Stores`](Self::Stores) has started,
    /// if the arguments say so, until the one who started it ends it.
    pub fn as_started(mut arguments: impl Iterator<Item = String>) -> Option<Outcome> {
        match &*arguments.next()? {
            end_to_end::SERVE => Some(end_to_end::serve()),
            first_answer::ANSWER => Some(first_answer::answer(arguments)),
            _ => None,
        }
    }

    /// Says what the figures were measured on.
    pub fn introduce() {
        println!("{}\n", machine::describe());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(arguments: &[&str]) -> Result<Vec<Part>, String> {
        Part::wanted(arguments.iter().map(ToString::to_string))
    }

    #[test]
    fn without_a_name_every_part_runs() {
        assert_eq!(wanted(&["--bench"]).unwrap(), Part::ALL);
    }

    #[test]
    fn a_name_chooses_its_part_alone() {
        assert_eq!(wanted(&["scale", "--bench"]).unwrap(), [Part::Scale]);
        assert!(wanted(&["sclae"]).is_err());
    }
}

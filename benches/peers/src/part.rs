use crate::{Outcome, expiry, lookup, machine, outage, scale, table, threads};

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The ratios of the added cost, at one session and at 100 000.
    Table,
    /// What the lookup structures alone cost.
    Lookup,
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
}

impl Part {
    /// All parts, in the order they run.
    pub const ALL: [Self; 7] = [
        Self::Table,
        Self::Lookup,
        Self::Scale,
        Self::Threads,
        Self::Memory,
        Self::Expiry,
        Self::Outage,
    ];

    const fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Lookup => "lookup",
            Self::Scale => "scale",
            Self::Threads => "threads",
            Self::Memory => "memory",
            Self::Expiry => "expiry",
            Self::Outage => "outage",
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
            Self::Lookup => lookup::run(),
            Self::Scale => scale::run(),
            Self::Threads => threads::run(),
            Self::Memory => Ok(()),
            Self::Expiry => expiry::run(),
            Self::Outage => outage::run(),
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

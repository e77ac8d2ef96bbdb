/// How far a revocation has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revocation {
    /// The store has ended so many sessions, and announces it to every node.
    Done(usize),
    /// This node refuses the sessions; it is written as soon as the store answers again.
    ///
    /// Until then the revocation is in this process's memory alone, and **is lost when the process
    /// ends**, though [`Sessions::shutdown`](crate::Sessions::shutdown) waits for it a while. After the last handle is gone it
    /// is tried for another minute. What is lost is an event, which says how many they are.
    Pending,
}

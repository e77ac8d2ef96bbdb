mod failover;
mod link;
mod nodes;
mod pooler;
mod servers;
mod suite;

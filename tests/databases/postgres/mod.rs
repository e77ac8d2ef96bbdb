mod expiry;
mod faults;
mod link;
mod pooler;
mod records;
mod schema;
mod servers;
mod suite;

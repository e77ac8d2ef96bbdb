mod expiry;
mod faults;
mod records;
mod schema;
mod servers;
mod suite;

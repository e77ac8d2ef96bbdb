mod link;
mod pooler;
mod servers;
mod suite;

mod link;
mod pooler;
mod servers;

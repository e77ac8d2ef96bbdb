mod servers;
mod suite;

mod servers;

//! What the book promises, shown on a real file or server: each rule by itself, in races, through crashes, and against a model.

mod audit;
mod bounds;
mod crashes;
mod ending;
mod giving;
mod groups;
mod kills;
mod model;
mod race;
mod reading;
mod reserving;
mod stage;

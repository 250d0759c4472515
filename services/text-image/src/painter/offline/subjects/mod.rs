//! From a noun to its drawing: the only place that knows which function draws what.

mod beasts;
mod birds;
mod buildings;
mod emblem;
mod figures;
mod fire;
mod flowers;
mod food;
mod heavens;
mod herd;
mod monsters;
pub mod plants;
mod small;
mod swimmers;
mod things;
mod toys;
mod vessels;
mod wheels;
mod wings;

use super::palette::hex;
use super::pen::Pen;
use super::words::{Noun, Season, Subject, What};

/// Draws one of the subject in the pen's box.
pub fn draw(p: &mut Pen<'_>, subject: &Subject, season: Season) {
    let noun = match &subject.what {
        What::Known(noun) => *noun,
        What::Unknown(word) => return emblem::draw(p, word),
    };
    match noun {
        Noun::Cat => small::cat(p),
        Noun::Dog => beasts::dog(p),
        Noun::Fox => beasts::fox(p),
        Noun::Bear => beasts::bear(p),
        Noun::Rabbit => small::rabbit(p),
        Noun::Horse if subject.name.starts_with("unicorn") => {
            if p.tints.is_empty() {
                p.tints = vec![hex(0xf6f2f8), hex(0xd9a0e0)];
            }
            beasts::horse(p);
            p.poly(&[(0.6, -0.8), (0.72, -0.76), (0.92, -1.24)], hex(0xf2cf6a));
        }
        Noun::Horse => beasts::horse(p),
        Noun::Cow => herd::cow(p),
        Noun::Sheep => herd::sheep(p),
        Noun::Deer => herd::deer(p),
        Noun::Elephant => herd::elephant(p),
        Noun::Lion => herd::lion(p),
        Noun::Giraffe => herd::giraffe(p),
        Noun::Turtle => small::turtle(p),
        Noun::Frog => small::frog(p),
        Noun::Snail => small::snail(p),
        Noun::Dragon => monsters::dragon(p),
        Noun::Dinosaur => monsters::dinosaur(p),
        Noun::Fish => swimmers::fish(p),
        Noun::Whale => swimmers::whale(p),
        Noun::Shark => swimmers::shark(p),
        Noun::Dolphin => swimmers::dolphin(p),
        Noun::Octopus => swimmers::octopus(p),
        Noun::Jellyfish => swimmers::jellyfish(p),
        Noun::Bird => birds::bird(p),
        Noun::Owl => birds::owl(p),
        Noun::Penguin => birds::penguin(p),
        Noun::Duck => birds::duck(p),
        Noun::Rooster => birds::rooster(p),
        Noun::Butterfly => wings::butterfly(p),
        Noun::Bee => wings::bee(p),
        Noun::Tree => plants::tree(p, season),
        Noun::Pine => plants::pine(p, season),
        Noun::Palm => plants::palm(p),
        Noun::Flower => flowers::flower(p),
        Noun::Rose => flowers::rose(p),
        Noun::Sunflower => flowers::sunflower(p),
        Noun::Tulip => flowers::tulip(p),
        Noun::Mushroom => flowers::mushroom(p),
        Noun::Cactus => flowers::cactus(p),
        Noun::Mountain => heavens::mountain(p),
        Noun::Volcano => heavens::volcano(p),
        Noun::Island => heavens::island(p),
        Noun::House => buildings::house(p),
        Noun::Castle => buildings::castle(p),
        Noun::Lighthouse => buildings::lighthouse(p),
        Noun::Tower => buildings::tower(p),
        Noun::Church => buildings::church(p),
        Noun::Temple => buildings::temple(p),
        Noun::Windmill => buildings::windmill(p),
        Noun::Bridge => buildings::bridge(p),
        Noun::Tent => buildings::tent(p),
        Noun::Campfire => fire::campfire(p),
        Noun::Boat => vessels::boat(p),
        Noun::Ship => vessels::ship(p),
        Noun::Submarine => vessels::submarine(p),
        Noun::Car => wheels::car(p),
        Noun::Bus => wheels::bus(p),
        Noun::Train => wheels::train(p),
        Noun::Bicycle => wheels::bicycle(p),
        Noun::Plane => vessels::plane(p),
        Noun::Balloon => vessels::balloon(p),
        Noun::Rocket => vessels::rocket(p),
        Noun::Ufo => vessels::ufo(p),
        Noun::Person => figures::person(p, &subject.name),
        Noun::Astronaut => figures::astronaut(p),
        Noun::Robot => figures::robot(p),
        Noun::Snowman => figures::snowman(p),
        Noun::Ghost => monsters::ghost(p),
        Noun::Umbrella => things::umbrella(p),
        Noun::Kite => toys::kite(p),
        Noun::Teapot => food::teapot(p),
        Noun::Cup => food::cup(p),
        Noun::Bottle => food::bottle(p),
        Noun::Apple => food::apple(p),
        Noun::Lemon => food::lemon(p),
        Noun::Pumpkin => flowers::pumpkin(p),
        Noun::Cake => food::cake(p),
        Noun::Icecream => food::icecream(p),
        Noun::Bread => food::bread(p),
        Noun::Book => things::book(p),
        Noun::Candle => fire::candle(p),
        Noun::Lamp => buildings::lamp(p),
        Noun::Guitar => toys::guitar(p),
        Noun::Piano => toys::piano(p),
        Noun::Clock => things::clock(p),
        Noun::Key => things::key(p),
        Noun::Chair => things::chair(p),
        Noun::Hat => things::hat(p),
        Noun::Gift => toys::gift(p),
        Noun::Ball => toys::ball(p),
        Noun::Heart => things::heart(p),
        Noun::Crown => things::crown(p),
        Noun::Gem => things::gem(p),
        Noun::Sword => things::sword(p),
        Noun::Moon => heavens::moon(p, subject.name.starts_with("crescent")),
        Noun::Sun => heavens::sun(p),
        Noun::Star => heavens::star(p),
        Noun::Planet => heavens::planet(p),
        Noun::Cloud => heavens::cloud(p),
        Noun::Rainbow => heavens::rainbow(p),
    }
}

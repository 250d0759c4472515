//! The nouns the painter can draw, with their names in English and Spanish. Data only.

use super::Scene;

/// Where a subject naturally is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Habitat {
    /// Stands on the ground.
    Ground,
    /// Flies.
    Air,
    /// Floats on water.
    Water,
    /// Swims under water.
    Deep,
    /// Stands on a table or a plinth.
    Table,
    /// Hangs far up: moon, sun, planets.
    Sky,
    /// Is part of the land itself.
    Land,
}

macro_rules! nouns {
    ($($name:ident $habitat:ident $home:ident $size:literal $words:literal;)*) => {
        /// A thing the painter has a drawing for.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Noun { $($name,)* }

        impl Noun {
            /// Every noun, in the order of the table.
            pub const ALL: &'static [Noun] = &[$(Noun::$name,)*];

            /// Where it naturally is.
            pub fn habitat(self) -> Habitat {
                match self { $(Noun::$name => Habitat::$habitat,)* }
            }

            /// The scene it is painted in when the prompt names none.
            pub fn home(self) -> Scene {
                match self { $(Noun::$name => Scene::$home,)* }
            }

            /// Its size next to others: 1 is a house cat as the only subject.
            pub fn size(self) -> f32 {
                match self { $(Noun::$name => $size,)* }
            }

            /// Its names, separated by spaces, the usual English one first; `_` joins words.
            pub fn names(self) -> &'static str {
                match self { $(Noun::$name => $words,)* }
            }
        }
    };
}

nouns! {
    Cat Ground Meadow 0.9 "cat kitten kitty feline gato gata gatito";
    Dog Ground Meadow 0.95 "dog puppy hound wolf perro perra perrito lobo";
    Fox Ground Forest 0.9 "fox vixen zorro zorra";
    Bear Ground Forest 1.05 "bear panda teddy_bear grizzly oso osa";
    Rabbit Ground Meadow 0.8 "rabbit bunny hare conejo conejito liebre";
    Horse Ground Meadow 1.15 "horse pony stallion mare unicorn zebra donkey caballo yegua unicornio burro";
    Cow Ground Meadow 1.1 "cow bull ox buffalo vaca toro";
    Sheep Ground Meadow 0.9 "sheep lamb goat oveja cordero cabra";
    Deer Ground Forest 1.1 "deer stag reindeer moose elk ciervo venado reno";
    Elephant Ground Meadow 1.2 "elephant mammoth elefante mamut";
    Lion Ground Desert 1.05 "lion lioness tiger leon tigre";
    Giraffe Ground Meadow 1.3 "giraffe jirafa";
    Turtle Ground Coast 0.75 "turtle tortoise tortuga";
    Frog Ground Lake 0.7 "frog toad rana sapo";
    Snail Ground Meadow 0.65 "snail slug caracol";
    Dragon Air Mountains 1.3 "dragon wyvern dragones";
    Dinosaur Ground Forest 1.25 "dinosaur trex t_rex dino godzilla dinosaurio";
    Fish Deep Underwater 0.8 "fish goldfish koi salmon trout clownfish pez peces pescado";
    Whale Deep Underwater 1.3 "whale orca ballena";
    Shark Deep Underwater 1.15 "shark tiburon";
    Dolphin Deep Underwater 1.0 "dolphin porpoise delfin";
    Octopus Deep Underwater 1.0 "octopus squid kraken pulpo calamar";
    Jellyfish Deep Underwater 0.9 "jellyfish medusa";
    Bird Air Sky 0.75 "bird sparrow robin seagull gull eagle hawk raven crow parrot dove pigeon swallow hummingbird pajaro ave aguila paloma gaviota loro cuervo";
    Owl Ground Forest 0.85 "owl buho lechuza";
    Penguin Ground Snow 0.85 "penguin pinguino";
    Duck Water Lake 0.75 "duck swan goose duckling pato cisne ganso";
    Rooster Ground Meadow 0.8 "rooster chicken hen cock gallo gallina pollo";
    Butterfly Air Meadow 0.7 "butterfly moth mariposa polilla";
    Bee Air Meadow 0.6 "bee bumblebee wasp abeja";
    Tree Ground Meadow 1.35 "tree oak maple willow birch bonsai cherry_tree apple_tree arbol roble";
    Pine Ground Snow 1.35 "pine fir spruce pine_tree christmas_tree conifer pino abeto";
    Palm Ground Coast 1.3 "palm palm_tree coconut_tree palmera";
    Flower Ground Meadow 0.85 "flower daisy poppy lily orchid blossom lotus flor margarita";
    Rose Table Room 0.85 "rose rosa_roja rosas";
    Sunflower Ground Meadow 1.1 "sunflower girasol";
    Tulip Ground Meadow 0.85 "tulip tulipan";
    Mushroom Ground Forest 0.8 "mushroom toadstool fungus seta hongo champinon";
    Cactus Ground Desert 1.05 "cactus cacti saguaro";
    Mountain Land Mountains 1.5 "mountain peak summit montana";
    Volcano Land Mountains 1.5 "volcano volcan";
    Island Water Sea 1.3 "island isle isla";
    House Ground Meadow 1.2 "house cottage cabin hut home barn farmhouse casa cabana casita";
    Castle Ground Mountains 1.45 "castle palace fortress castillo palacio";
    Lighthouse Ground Coast 1.4 "lighthouse beacon faro";
    Tower Ground City 1.45 "tower skyscraper torre rascacielos eiffel_tower";
    Church Ground Meadow 1.3 "church chapel cathedral iglesia catedral";
    Temple Ground Mountains 1.3 "temple pagoda shrine templo";
    Windmill Ground Meadow 1.35 "windmill mill molino";
    Bridge Ground Lake 1.35 "bridge puente";
    Tent Ground Forest 0.95 "tent teepee carpa tienda_de_campana";
    Campfire Ground Forest 0.75 "campfire bonfire fire fogata hoguera fuego";
    Boat Water Sea 1.1 "boat sailboat yacht canoe dinghy barco velero barca bote";
    Ship Water Sea 1.3 "ship galleon steamer ferry pirate_ship frigate buque galeon";
    Submarine Deep Underwater 1.1 "submarine submarino";
    Car Ground City 1.05 "car automobile taxi truck van coche carro auto camion";
    Bus Ground City 1.15 "bus tram school_bus autobus tranvia";
    Train Ground Meadow 1.25 "train locomotive steam_train tren locomotora";
    Bicycle Ground City 0.95 "bicycle bike motorcycle bicicleta moto";
    Plane Air Sky 1.05 "plane airplane aeroplane jet aircraft avion";
    Balloon Air Sky 1.15 "balloon hot_air_balloon airship globo globo_aerostatico";
    Rocket Air Space 1.2 "rocket spaceship spacecraft space_shuttle cohete nave nave_espacial";
    Ufo Air Space 1.0 "ufo flying_saucer alien_ship ovni";
    Person Ground Meadow 1.0 "person man woman girl boy child people human wizard witch king queen princess knight dancer farmer pirate samurai monk traveler traveller persona hombre mujer nina nino rey reina princesa mago bruja caballero";
    Astronaut Ground Moonscape 1.05 "astronaut cosmonaut spaceman astronauta";
    Robot Ground City 1.05 "robot android cyborg mech droid robots";
    Snowman Ground Snow 1.0 "snowman muneco_de_nieve";
    Ghost Air Forest 0.9 "ghost spirit phantom spectre fantasma";
    Umbrella Ground City 0.9 "umbrella parasol paraguas sombrilla";
    Kite Air Sky 0.9 "kite cometa papalote";
    Teapot Table Room 0.9 "teapot kettle coffee_pot tetera";
    Cup Table Room 0.8 "cup mug teacup coffee tea taza cafe te";
    Bottle Table Room 0.9 "bottle vase wine flask jug botella jarron vino";
    Apple Table Room 0.75 "apple pear peach orange_fruit manzana pera fruit fruta";
    Lemon Table Room 0.7 "lemon lime limon";
    Pumpkin Table Meadow 0.85 "pumpkin jack_o_lantern calabaza";
    Cake Table Room 0.95 "cake cupcake birthday_cake pie tarta pastel";
    Icecream Table Room 0.9 "icecream ice_cream gelato helado";
    Bread Table Room 0.8 "bread loaf baguette pan";
    Book Table Room 0.9 "book novel tome notebook libro";
    Candle Table Room 0.9 "candle vela";
    Lamp Ground City 1.2 "lamp lantern street_lamp streetlight lamppost lampara farola linterna";
    Guitar Table Room 1.0 "guitar violin ukulele cello guitarra violin_rojo";
    Piano Ground Room 1.15 "piano grand_piano keyboard";
    Clock Table Room 0.9 "clock watch alarm_clock reloj";
    Key Table Room 0.8 "key llave";
    Chair Ground Room 1.0 "chair armchair throne sofa silla sillon trono";
    Hat Table Room 0.8 "hat cap top_hat sombrero";
    Gift Table Room 0.8 "gift present parcel regalo";
    Ball Ground Meadow 0.7 "ball football basketball soccer_ball pelota balon";
    Heart Table Sky 0.9 "heart corazon";
    Crown Table Room 0.85 "crown tiara corona";
    Gem Table Room 0.85 "gem diamond crystal jewel ruby emerald sapphire diamante cristal gema joya";
    Sword Table Room 1.0 "sword dagger blade espada";
    Moon Sky Lake 0.8 "moon full_moon crescent luna";
    Sun Sky Sea 0.8 "sun sol";
    Star Sky Meadow 0.6 "star estrella";
    Planet Sky Space 1.1 "planet saturn jupiter mars earth planeta saturno";
    Cloud Sky Sky 0.9 "cloud nube";
    Rainbow Sky Meadow 1.4 "rainbow arcoiris arco_iris";
}

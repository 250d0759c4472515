//! The few pages this model has read, by subject; reading them out is not done here.

/// One subject: the words that name it, what there is to say in English, in order, and once in Spanish.
pub(super) struct Topic {
    pub(super) names: &'static [&'static str],
    pub(super) told: &'static [&'static str],
    pub(super) spanish: &'static str,
}

pub(super) const TOPICS: &[Topic] = &[
    Topic {
        names: &[
            "atelier",
            "this service",
            "this server",
            "this backend",
            "this app",
        ],
        told: &[
            "Atelier is a self-hostable backend for generative media: chat, pictures \
             and speech, with accounts, credits and analytics around them. It is a \
             Rust gRPC mesh that ships as one binary.",
            "On a laptop the one binary runs every role over SQLite with nothing else \
             installed. Grown up, the same binary runs one role per process on \
             PostgreSQL, MongoDB, S3 and Redis.",
            "A chat reply, a picture and a spoken text are all *generations*: durable \
             jobs that belong to their owner and not to a connection. Lose the \
             connection and you can watch the same generation again from where you \
             left off.",
            "Browsers reach it over grpc-web through the edge, services over plain \
             gRPC, and people with grpcurl, because reflection is on.",
        ],
        spanish: "Atelier es un servidor de medios generativos que puedes alojar tú: chat, \
             imágenes y voz, con cuentas, créditos y analítica. Es una malla gRPC \
             escrita en Rust que se distribuye como un solo binario.",
    },
    Topic {
        names: &[
            "credits",
            "credit",
            "balance",
            "billing",
            "price",
            "pricing",
            "pay",
            "cost",
            "costs",
            "créditos",
        ],
        told: &[
            "In Atelier a generation is paid with credits. The worst case is reserved \
             before the work starts, the real figure is settled after it, and \
             whatever was reserved too much goes back.",
            "A cancelled generation pays for what was delivered, a failed one pays \
             nothing. No amount is ever charged above its reservation.",
        ],
        spanish: "En Atelier las generaciones se pagan con créditos: se reserva lo máximo \
             antes de empezar, se liquida lo real al terminar y el resto vuelve. Lo \
             que falla no se cobra.",
    },
    Topic {
        names: &[
            "pictures",
            "picture",
            "image",
            "drawing",
            "picture service",
            "images",
            "image generation",
            "imágenes",
        ],
        told: &[
            "Atelier's picture service turns a text prompt into an image. Pictures \
             are stored as objects and handed out as signed addresses that expire. \
             Without an outside provider a built-in painter draws them, and each \
             answer says so.",
            "I can help with the prompt: say \"write a picture prompt about a \
             lighthouse\".",
        ],
        spanish: "El servicio de imágenes de Atelier convierte un texto en una imagen y la \
             entrega con una dirección firmada que caduca. Sin proveedor externo la \
             dibuja un pintor integrado.",
    },
    Topic {
        names: &["speech", "tts", "text to speech", "voices", "voz"],
        told: &[
            "Atelier's speech service reads text aloud. Long texts are cut at \
             sentence ends and the audio joined again; built-in voices work offline, \
             and outside voices can be connected.",
            "Audio arrives as chunks while it is being made, so playing can start \
             before the end is ready.",
        ],
        spanish: "El servicio de voz de Atelier lee textos en voz alta. Tiene voces \
             integradas que funcionan sin conexión y admite proveedores externos.",
    },
    Topic {
        names: &["grpc-web", "grpc web"],
        told: &[
            "grpc-web lets a browser make gRPC calls. Browsers can't reach HTTP/2 \
             trailers, so the status travels as the last frame of the body instead; \
             unary and server-streaming calls work, client streaming doesn't.",
        ],
        spanish: "grpc-web permite que un navegador haga llamadas gRPC: el estado final \
             viaja en el cuerpo porque el navegador no ve los trailers de HTTP/2.",
    },
    Topic {
        names: &["grpc"],
        told: &[
            "gRPC is a way for programs to call each other: you describe services and \
             messages in a `.proto` file, generate code from it, and the calls travel \
             as Protocol Buffers over HTTP/2.",
            "There are four kinds of calls: one request and one reply, a stream of \
             replies, a stream of requests, and streams both ways. Every call ends \
             with a status such as OK, NOT_FOUND or UNAVAILABLE.",
            "Deadlines are part of it: the caller says how long it will wait and that \
             budget travels along, so a service needn't work for someone who has \
             left.",
        ],
        spanish: "gRPC permite que los programas se llamen entre sí: se describen \
             servicios y mensajes en un archivo .proto y las llamadas viajan como \
             Protocol Buffers sobre HTTP/2.",
    },
    Topic {
        names: &["protobuf", "protocol buffers", "proto"],
        told: &[
            "Protocol Buffers is a compact binary format for structured messages. \
             Fields are known by number rather than by name, which is why a number \
             must never be reused for something else.",
            "Readers skip fields they don't know, so a schema can grow without \
             breaking old programs.",
        ],
        spanish: "Protocol Buffers es un formato binario compacto para mensajes con \
             estructura; los campos se identifican por número.",
    },
    Topic {
        names: &["rust", "the rust language", "borrow checker", "ownership"],
        told: &[
            "Rust is a systems programming language that is safe without a garbage \
             collector: each value has one owner, and the compiler checks that \
             borrowed references never outlive it.",
            "You may have many shared borrows of a value or one exclusive borrow, \
             never both at once. That single rule excludes data races too.",
            "Errors are ordinary values: a function returns `Result<T, E>` and `?` \
             passes the error up. There is no null, only `Option<T>`.",
        ],
        spanish: "Rust es un lenguaje de sistemas seguro y sin recolector de basura: cada \
             valor tiene un dueño y el compilador comprueba los préstamos.",
    },
    Topic {
        names: &["http/2", "http2", "http 2"],
        told: &[
            "HTTP/2 carries many requests at once over a single connection. Each is a \
             stream of frames, so a slow answer doesn't hold up the others, and \
             headers are compressed with HPACK.",
            "Every stream and the connection have a flow-control window: a receiver \
             that falls behind stops the sender. The connection is closed politely \
             with a GOAWAY frame.",
            "Its weak spot is TCP underneath: one lost packet stalls all the streams. \
             HTTP/3 moves to QUIC to avoid that.",
        ],
        spanish: "HTTP/2 lleva muchas peticiones a la vez por una sola conexión; cada una \
             es un flujo de tramas y las cabeceras van comprimidas.",
    },
    Topic {
        names: &["tokens", "token", "tokenizer"],
        told: &[
            "A token is the unit language models read and write: a short word, or a \
             piece of a longer one. In English it's roughly three quarters of a word. \
             Usage is counted in tokens because that's what the work grows with.",
        ],
        spanish: "Un token es la unidad que leen y escriben los modelos: una palabra corta \
             o un trozo de una larga.",
    },
    Topic {
        names: &[
            "language model",
            "language models",
            "llm",
            "llms",
            "large language model",
        ],
        told: &[
            "A large language model is a neural network trained to predict the next \
             token of a text. Enough text and enough parameters, and predicting well \
             begins to look like knowing.",
            "I'm nothing of the sort, by the way: I work with patterns and a few \
             pages of facts. A real model can be connected to Atelier if you need \
             one.",
        ],
        spanish: "Un gran modelo de lenguaje es una red neuronal entrenada para predecir \
             el siguiente token de un texto. Yo soy algo mucho más pequeño.",
    },
    Topic {
        names: &["haiku form", "haikus", "haiku"],
        told: &[
            "A haiku is a Japanese poem of three lines, in English usually counted as \
             five, seven and five syllables. It sets two images side by side, often \
             with a season in one of them.",
            "Bashō, Buson, Issa and Shiki are the four great names. Say \"write a \
             haiku about rain\" and I'll try one.",
        ],
        spanish: "El haiku es un poema japonés de tres versos, de cinco, siete y cinco \
             sílabas.",
    },
    Topic {
        names: &["tea", "té"],
        told: &[
            "All true tea comes from one plant, *Camellia sinensis*. Green, oolong \
             and black differ in how far the leaves are allowed to oxidise.",
            "Green tea likes water of about 75-80 °C, black tea nearly boiling.",
        ],
        spanish: "Todo el té viene de una planta, Camellia sinensis; verde, oolong y negro \
             se distinguen por la oxidación.",
    },
    Topic {
        names: &["coffee", "café"],
        told: &[
            "Coffee is the roasted seed of a cherry-like fruit. Arabica is milder and \
             grows high up; robusta is stronger, bitterer and has about twice the \
             caffeine.",
            "For filter coffee, 60 grams to a litre of water just off the boil is a \
             good place to begin.",
        ],
        spanish: "El café es la semilla tostada de un fruto parecido a la cereza; las dos \
             especies principales son arábica y robusta.",
    },
    Topic {
        names: &["cats", "cat", "gatos"],
        told: &[
            "Cats sleep twelve to sixteen hours a day and purr both when content and \
             when hurt. They can't taste sweetness.",
            "A cat's whiskers are about as wide as its body: they measure gaps for it.",
        ],
        spanish: "Los gatos duermen entre doce y dieciséis horas al día y no perciben el \
             sabor dulce.",
    },
    Topic {
        names: &["dogs", "dog", "perros"],
        told: &[
            "Dogs descend from wolves and have lived with people for at least fifteen \
             thousand years. Smell is their main sense: they have dozens of times \
             more scent receptors than we do.",
        ],
        spanish: "Los perros descienden del lobo y viven con nosotros desde hace al menos \
             quince mil años.",
    },
    Topic {
        names: &["rain", "rainbow", "rainbows", "lluvia"],
        told: &[
            "A rainbow appears opposite the sun when light is bent on entering drops \
             of rain, reflected at their backs and bent again on leaving, each colour \
             by a slightly different angle.",
            "Rain smells as it does because of geosmin, which soil bacteria make and \
             falling drops throw into the air.",
        ],
        spanish: "El arcoíris aparece frente al sol cuando la luz se refracta y se refleja \
             en las gotas de lluvia.",
    },
    Topic {
        names: &["bread", "pan", "sourdough"],
        told: &[
            "Bread at its simplest is flour, water, salt and something to raise it. \
             Bakers count by flour: 65 % water, 2 % salt and 1 % yeast makes an \
             everyday loaf.",
            "Sourdough is raised by wild yeast and lactic bacteria living in a \
             starter, fed with flour and water.",
        ],
        spanish: "El pan es harina, agua, sal y algo que lo levante: por cada kilo de \
             harina, unos 650 g de agua y 20 g de sal.",
    },
    Topic {
        names: &["chess", "ajedrez"],
        told: &[
            "Chess is played on sixty-four squares. In the opening: put a pawn in the \
             centre, bring out knights and bishops, castle early.",
            "A pawn counts one, knight and bishop three, rook five, queen nine; the \
             king can't be counted.",
        ],
        spanish: "El ajedrez se juega en sesenta y cuatro casillas; al empezar, ocupa el \
             centro, saca las piezas y enroca pronto.",
    },
    Topic {
        names: &["music", "música", "scales", "chords"],
        told: &[
            "Most Western music builds on twelve notes to the octave. A major scale \
             picks seven of them in the steps whole, whole, half, whole, whole, \
             whole, half.",
            "A major chord is the first, third and fifth note of that scale. Lower \
             the third by a semitone and it turns minor.",
        ],
        spanish: "La música occidental usa doce notas por octava; la escala mayor elige \
             siete de ellas.",
    },
    Topic {
        names: &[
            "sqlite",
            "postgres",
            "postgresql",
            "sql",
            "database",
            "databases",
        ],
        told: &[
            "SQLite is a whole SQL database inside one file and one library: no \
             server to run. PostgreSQL is a server that many machines share. Atelier \
             uses the first on a laptop and the second when it outgrows one machine.",
        ],
        spanish: "SQLite es una base de datos SQL completa en un solo archivo; PostgreSQL \
             es un servidor que comparten muchas máquinas.",
    },
    Topic {
        names: &["kubernetes", "docker", "containers"],
        told: &[
            "A container packs a program with everything it needs to run. Kubernetes \
             decides which machine runs which container, restarts those that fail and \
             replaces them one by one when you deploy.",
        ],
        spanish: "Un contenedor empaqueta un programa con lo que necesita; Kubernetes \
             reparte los contenedores entre máquinas.",
    },
];

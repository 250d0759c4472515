"""What the deployments are to hold that no other file says: who calls whom, and who keeps what where. Reviewed, not computed."""

# Who calls whom, by the links that each role takes.
CALLS = {
    "edge": {"users", "llm-chat", "text-image", "tts", "analytics"},
    "users": {"llm-chat", "text-image", "tts", "analytics"},
    "llm-chat": {"users", "analytics"},
    "text-image": {"users", "analytics"},
    "tts": {"users", "analytics"},
    "analytics": {"users"},
}

# Which engines a role needs, and by which variables it is told of them.
ENGINES = {
    "edge": {"redis"},
    "users": {"postgres", "redis"},
    "llm-chat": {"mongodb", "redis"},
    "text-image": {"postgres", "redis", "s3"},
    "tts": {"postgres", "redis", "s3"},
    "analytics": {"mongodb", "redis"},
}
PORTS = {"postgres": 5432, "mongodb": 27017, "redis": 6379, "s3": 8333}
VARIABLES = {
    "postgres": {"ATELIER_POSTGRES_URL"},
    "mongodb": {"ATELIER_MONGODB_URL"},
    "redis": {"ATELIER_REDIS_URL"},
    "s3": {"ATELIER_S3_ENDPOINT", "ATELIER_S3_ACCESS_KEY", "ATELIER_S3_SECRET_KEY"},
}
# Those that tell where an engine is.
ADDRESSES = {
    "ATELIER_POSTGRES_URL": "postgres",
    "ATELIER_MONGODB_URL": "mongodb",
    "ATELIER_REDIS_URL": "redis",
    "ATELIER_S3_ENDPOINT": "s3",
}
# Those of them that are secrets, beside the mesh's own.
SECRETS = {"ATELIER_SECRET", "ATELIER_POSTGRES_URL", "ATELIER_MONGODB_URL", "ATELIER_REDIS_URL", "ATELIER_S3_ACCESS_KEY", "ATELIER_S3_SECRET_KEY"}

# Who may reach what in the world: other people's models and an S3, the OpenID provider and the server that sends mails.
WORLD = {"users": {443, 465, 587}, "llm-chat": {443}, "text-image": {443}, "tts": {443}}

# After ATELIER_LAME_DUCK_SECONDS and ATELIER_DRAIN_SECONDS the end takes at most four times five seconds (interrupts, background
# work, what is closed, and the last moment with the telemetry): `Mesh::stop`.
LAST_SECONDS = 20

# Of the edge no Secret is needed, of the others each has its own.
WITHOUT_SECRETS = {"edge"}

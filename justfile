# The things done here, one line each. `./test` is the whole of them, and what continuous integration runs.

# this list
default:
    @just --list --unsorted

# make gen/ from proto/, .env.example from the settings, docs/policy.md from its table, and what deployments know of the roster
gen:
    npm ci --prefix gen/ts --no-audit --no-fund
    gen/ts/node_modules/.bin/buf generate
    ATELIER_REGENERATE=1 cargo test -p atelier-proto --test codegen
    ATELIER_REGENERATE=1 cargo test -p atelier --bin atelier env_example
    ATELIER_REGENERATE=1 cargo test -p atelier --bin atelier the_deployments
    ATELIER_REGENERATE=1 cargo test -p atelier --test system the_page_of_policies

# start everything in one process
run *ROLES:
    cargo run -- {{ROLES}}

# a tour: an account, a reply, a picture, a spoken sentence
demo:
    cargo run -- demo

# compile, no more
check:
    cargo check --workspace --all-targets

# every test there is, or the named steps
test *STEPS:
    ./test {{STEPS}}

# the fast lints
lint:
    ./test fmt proto-lint proto-format clippy

# write every file as the formatters have it
fmt:
    cargo fmt --all
    rustfmt --edition 2024 bench/*/src/*.rs
    gen/ts/node_modules/.bin/buf format -w

# the documentation, opened
doc:
    cargo doc --workspace --no-deps --open

# licences, drivers and sources of the dependencies
deny:
    ./test deny

# the contract against the last release and the version before
breaking:
    ./test proto-breaking

# the running binary from outside: recogniser, other implementations, shell scripts
outside:
    ./test speech system

# each fault once under load; writes docs/faults.md
faults:
    ATELIER_CAMPAIGN_FAULTS=1 cargo test -p atelier --test system faults::each
    cp "${CARGO_TARGET_DIR:-target}/tmp/faults.md" docs/faults.md

# what the listener bears of those who mean it no good; the table is for docs/listener.md
listener:
    cargo test -p atelier --test system listener:: -- --nocapture
    @cat "${CARGO_TARGET_DIR:-target}/tmp/listener.md"

# the campaigns at their full sizes: all (hours), or the named ones (prove/run --list)
prove *NAMES:
    prove/run {{NAMES}}

# the example page against a mesh, in Chromium
browse:
    ./test browser

# what Atelier costs, measured anew: all, or the named ones (bench/README.md)
bench *NAMES:
    bench/run {{NAMES}}

# the container image
image:
    docker build -t atelier .

//! What stands under the flags of a command in its `--help`: examples, and how it ends.

/// Of `atelier chat`.
pub const CHAT: &str = "\
Examples:
  atelier chat                                   a conversation; /help tells what it knows
  atelier chat 'What is a fjord?' > fjord.md     the reply's own Markdown and nothing else
  git diff | atelier chat --continue             goes on with the last conversation

Exit codes: 0 well, 1 failed, 64 wrong use, 69 no answer, 75 try later, 77 not signed in or not allowed, 130 Ctrl-C.";

/// Of `atelier image`.
pub const IMAGE: &str = "\
Examples:
  atelier image a red boat at sunset -o boat.png
  atelier image 'a lighthouse' --size 1024x512 --style watercolor --seed 7 -o - | display
  atelier image --list-models

Exit codes: 0 well, 1 failed, 64 wrong use, 69 no answer, 75 try later, 77 not signed in or not allowed, 130 Ctrl-C.";

/// Of `atelier say`.
pub const SAY: &str = "\
Examples:
  atelier say 'Good morning.' -o morning.wav
  atelier say 'Good morning.' -o - | aplay       heard while it is made
  atelier say --format flac -o tale.flac < tale.txt

Exit codes: 0 well, 1 failed, 64 wrong use, 69 no answer, 75 try later, 77 not signed in or not allowed, 130 Ctrl-C.";

/// Of `atelier export`.
pub const EXPORT: &str = "\
Examples:
  atelier export mine                            a folder that is not there yet, or is empty
  atelier export mine --json | jq .service       the receipts of the services

The folder is there when everything is in it, and not before.

Exit codes: 0 well, 1 failed, 64 wrong use, 69 no answer, 77 not signed in or not allowed, 130 Ctrl-C.";

/// Of `atelier delete-account`.
pub const DELETE: &str = "\
Examples:
  atelier delete-account                         asks for the e-mail and the password
  atelier delete-account --yes --password-stdin < password-file

It waits until every service has erased its part and shows what each has. Ctrl-C ends the waiting and not the deletion.

Exit codes: 0 well, 1 failed, 64 wrong use, 69 no answer, 75 deleted, but not all services have answered yet, 77 not signed in or
not allowed, 130 Ctrl-C.";

/// Of `atelier completions`.
pub const COMPLETIONS: &str = "\
Examples:
  atelier completions bash > ~/.local/share/bash-completion/completions/atelier
  atelier completions zsh > ~/.zfunc/_atelier
  atelier completions fish > ~/.config/fish/completions/atelier.fish";

/// Of `atelier credits`.
pub const CREDITS: &str = "\
Examples:
  atelier credits                                what may be spent, and what is left of today's quotas
  atelier credits statement --month 2026-11 -o november.csv
  atelier credits change-plan premium
  atelier credits grant ada@example.com 2.50 --expires 30d --note 'for the workshop'
  atelier credits refund GENERATION --amount 0.04
  atelier credits entries --json | jq -r .generationId

Amounts are decimals of the currency with six places at most.

Exit codes: 0 well, 1 failed, 64 wrong use, 69 no answer, 75 try later, 77 not signed in or not allowed, 130 Ctrl-C.";

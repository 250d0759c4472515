//! The lists a person keeps in the conversation (shopping, packing, to-do); it knows no other memory.

use super::memory::kin;
use super::phrases::{clip, items, join};
use super::talk::{Part, Talk};
use super::words::{Line, fold, tidy};

const MAX_LISTS: usize = 20;
const MAX_ITEMS: usize = 100;

/// One list.
pub(super) struct List {
    name: String,
    items: Vec<String>,
}

/// All lists, and which was used last.
#[derive(Default)]
pub(super) struct Lists {
    all: Vec<List>,
    last: usize,
    /// The turn before this one was about a list, so "add butter" or "and bread too" belongs to it.
    pub(super) warm: bool,
}

impl Lists {
    /// The list of that name ("" is the one used last), made when `make` says so.
    fn open(&mut self, name: &str, make: bool) -> Option<&mut List> {
        let name = named(name);
        let at = if name.is_empty() {
            (self.last < self.all.len()).then_some(self.last)
        } else {
            self.all.iter().position(|list| list.name == name)
        };
        let at = match at {
            Some(at) => at,
            None if make && self.all.len() < MAX_LISTS => {
                self.all.push(List {
                    name,
                    items: Vec::new(),
                });
                self.all.len() - 1
            }
            None => return None,
        };
        self.last = at;
        self.warm = true;
        self.all.get_mut(at)
    }
}

/// "my shopping" and "the Shopping" are one name; "the list" alone has none.
fn named(name: &str) -> String {
    let low = fold(tidy(name));
    let words: Vec<&str> = low
        .split_whitespace()
        .filter(|word| {
            !matches!(
                *word,
                "my" | "the"
                    | "our"
                    | "a"
                    | "list"
                    | "mi"
                    | "la"
                    | "lista"
                    | "de"
                    | "that"
                    | "this"
                    | "new"
                    | "called"
            )
        })
        .collect();
    let name = words.join(" ");
    match name.as_str() {
        "groceries" | "grocery" | "compra" | "compras" => "shopping".to_owned(),
        "todo" | "todos" | "tasks" | "task" => "to-do".to_owned(),
        _ => clip(&name, 40),
    }
}

fn title(name: &str, spanish: bool) -> String {
    match (name, spanish) {
        ("", true) => "la lista".to_owned(),
        ("", false) => "the list".to_owned(),
        ("shopping", true) => "la lista de la compra".to_owned(),
        (name, true) => format!("la lista {name}"),
        (name, false) => format!("your {name} list"),
    }
}

/// Answers anything about lists.
pub(super) fn answer(talk: &mut Talk, line: &Line) -> Option<Part> {
    let warm = std::mem::take(&mut talk.lists.warm);
    let known = !talk.lists.all.is_empty();
    let part = change(talk, line, warm && known).or_else(|| ask(talk, line, known));
    part.map(Part::Answer)
}

fn change(talk: &mut Talk, line: &Line, warm: bool) -> Option<String> {
    let es = talk.spanish;
    let added = line
        .any(&[
            "add|put|append|write|include * to|on|onto|in my|the|our|a * list ?too|again",
            "add|put|write|append * to|on|onto|in * list",
        ])
        .map(|found| (found[0], found[1]))
        .or_else(|| {
            line.any(&[
                "add|put|append|include * to|on|onto|in my|the|our|this|that list ?too",
                "add|put|append * to|on it",
            ])
            .map(|found| (found[0], ""))
        });
    if let Some((what, name)) = added {
        return Some(add(talk, what, name));
    }
    if let Some(found) = line.any(&["?also|and add * ?too|also", "also *", "* too", "* as well"])
        && warm
        && !found[0]
            .chars()
            .any(|c| c.is_ascii_digit() && found[0].split_whitespace().count() == 1)
        && (line.is(&["_ add _"]) || found[0].split_whitespace().count() <= 4)
        && !line.is(&["i|you|me|we|it|that|is|what _"])
    {
        return Some(add(talk, found[0], ""));
    }
    if let Some(found) = line.any(&[
        "make|start|create|begin|open ?me a|an|my ?new * list with|of *",
        "my * list ?is|has|contains *",
        "make|start|create ?me a ?new list with|of *",
    ]) && !line.question
    {
        let (name, what) = if found.len() > 1 {
            (found[0], found[1])
        } else {
            ("", found[0])
        };
        // The items as written, since the commas between them are not in the pattern's words.
        let what = line.raw.split_once(':').map_or(what, |(_, items)| items);
        return Some(add(talk, what, name));
    }
    if let Some((head, what)) = line.raw.split_once(':')
        && let Some(found) = Line::new(head).any(&[
            "make|start|create|begin|open|write ?me a|an|my ?new * list",
            "my|the|a * list",
        ])
        && !line.question
    {
        return Some(add(talk, what, found[0]));
    }
    if let Some(found) = line.any(&[
        "make|start|create|begin|open ?me a|an|my ?new list called|named *",
        "make|start|create|begin|open ?me a|an|my ?new * list",
    ]) {
        talk.lists.open(found[0], true)?;
        let title = title(&named(found[0]), es);
        return Some(if es {
            format!("He abierto {title}.")
        } else {
            format!("I've started {title}. What goes on it?")
        });
    }
    if let Some(found) = line.any(&[
        "mark|set * as done|complete|finished",
        "?i ?am done|finished with *",
        "i ?have bought|got|did|done *",
    ]) && let Some(list) = talk.lists.all.get(talk.lists.last)
        && list.items.iter().any(|item| {
            items(found[0])
                .iter()
                .any(|done| kin(&fold(done), &fold(item)))
        })
    {
        return remove(talk, found[0], "");
    }
    let gone = line
        .any(&[
            "remove|delete|take|cross|strike|drop|tick|check * off|from|of \
             ?my|the|our|of * list",
            "remove|delete|drop|take|cross * from|off ?my|the|our * list",
        ])
        .map(|found| (found[0], found[1]))
        .or_else(|| {
            line.any(&[
                "remove|delete|take|cross|strike|tick|check|drop * from|off|of ?of \
             ?my|the|our list",
                "cross|tick|check|take off ?the *",
                "remove|delete|cross|drop * ?off|from ?it",
            ])
            .map(|found| (found[0], ""))
        });
    if let Some((what, name)) = gone {
        return remove(talk, what, name);
    }
    if let Some(name) = line
        .any(&["clear|empty|erase|delete|wipe my|the|our * list"])
        .map(|found| found[0])
        .or_else(|| {
            line.is(&[
                "clear|empty|erase|wipe|delete my|the|our|that|this list",
                "start a new list",
            ])
            .then_some("")
        })
    {
        let list = talk.lists.open(name, false)?;
        let count = list.items.len();
        list.items.clear();
        let title = title(&list.name.clone(), es);
        return Some(if es {
            format!("Listo: {title} está vacía.")
        } else {
            format!(
                "Done, {title} is empty now ({count} {} gone).",
                if count == 1 { "item" } else { "items" }
            )
        });
    }
    if line.is(&[
        "sort|order|alphabetise my|the|our|that|this list _",
        "sort|order my|the|our * list _",
        "sort it ?alphabetically",
    ]) && (warm || line.has(&["list"]))
    {
        let list = talk.lists.open("", false)?;
        list.items.sort_by_key(|item| fold(item));
        return Some(show(talk));
    }
    None
}

fn add(talk: &mut Talk, what: &str, name: &str) -> String {
    let es = talk.spanish;
    let new = items(&what.replace(" y ", " and "));
    let Some(list) = talk.lists.open(name, true) else {
        return "I keep at most twenty lists; clear or reuse one first.".to_owned();
    };
    let (mut fresh, mut there) = (Vec::new(), Vec::new());
    for item in new {
        let held = list.items.iter().any(|held| fold(held) == fold(&item));
        if held || list.items.len() >= MAX_ITEMS {
            there.push(item);
        } else {
            list.items.push(item.clone());
            fresh.push(item);
        }
    }
    let count = list.items.len();
    let title = title(&list.name.clone(), es);
    if fresh.is_empty() {
        let there = join(&there, if es { "y" } else { "and" });
        return if es {
            format!("{there} ya está en {title}.")
        } else {
            format!("{there} is already on {title}.")
        };
    }
    let fresh = join(&fresh, if es { "y" } else { "and" });
    if es {
        return talk.vary(&[
            format!("Añadido a {title}: {fresh}."),
            format!("He apuntado {fresh} en {title} ({count} en total)."),
        ]);
    }
    let total = if count == 1 {
        "It's the only thing there".to_owned()
    } else {
        format!("That makes {count}")
    };
    talk.vary(&[
        format!("Added {fresh} to {title}. {total}."),
        format!(
            "{} on {title}, done. {total}.",
            super::learning::capital(&fresh)
        ),
        format!("I've put {fresh} on {title}. {total}."),
    ])
}

fn remove(talk: &mut Talk, what: &str, name: &str) -> Option<String> {
    let es = talk.spanish;
    let list = talk.lists.open(name, false)?;
    let wanted = items(what);
    let matches = |item: &String| {
        wanted.iter().any(|gone| {
            let (gone, item) = (fold(gone), fold(item));
            kin(&gone, &item)
        })
    };
    let gone: Vec<String> = list
        .items
        .iter()
        .filter(|item| matches(item))
        .cloned()
        .collect();
    list.items.retain(|item| !matches(item));
    let title = title(&list.name.clone(), es);
    let left = list.items.len();
    Some(if gone.is_empty() {
        if es {
            format!("No veo eso en {title}.")
        } else {
            format!("I don't see {} on {title}.", clip(what, 60))
        }
    } else if es {
        format!("Quitado de {title}: {}. Quedan {left}.", join(&gone, "y"))
    } else {
        talk.vary(&[
            format!("Took {} off {title}; {left} left.", join(&gone, "and")),
            format!("Struck off {title}: {}. {left} left.", join(&gone, "and")),
        ])
    })
}

fn ask(talk: &mut Talk, line: &Line, known: bool) -> Option<String> {
    let es = talk.spanish;
    if line.is(&[
        "what|which lists do i have",
        "what are my lists",
        "show ?me ?all my lists",
    ]) {
        let names: Vec<String> = talk
            .lists
            .all
            .iter()
            .map(|list| format!("{} ({})", title(&list.name, es), list.items.len()))
            .collect();
        return Some(if names.is_empty() {
            "You have no lists yet. Say \"add milk to my shopping list\" to start one.".to_owned()
        } else {
            format!("You have {}.", join(&names, "and"))
        });
    }
    if let Some(found) = line.any(&[
        "is|are * on|in ?my|the|our ?* list ?already",
        "do i have * on|in my|the ?* list",
    ]) {
        let wanted = fold(found[0]);
        let list = talk
            .lists
            .open(found.get(1).copied().unwrap_or(""), false)?;
        let there = list
            .items
            .iter()
            .any(|item| kin(&fold(item), &wanted) || fold(item).contains(&wanted));
        let title = title(&list.name.clone(), es);
        return Some(if there {
            format!("Yes, {} is on {title}.", clip(found[0], 60))
        } else {
            format!(
                "No, {} isn't on {title}. Shall I add it?",
                clip(found[0], 60)
            )
        });
    }
    let named = line.any(&[
        "what|which ?items|things is|are ?there ?now|left on|in my|the|our * list \
             ?now|so|again ?far|now",
        "what ?do i have|is on my|the|our * list",
        "how many things|items are|do ?i ?have on|in my|the|our * list",
        "show|read|give|list|display|print|tell ?me my|the|our * list ?again|now",
        "?and ?what ?about my|the * list",
        "what is my * list",
    ]);
    let bare = line.is(&[
        "what|which ?items|things is|are ?there ?now|left on|in \
             ?my|the|our|that|this|it ?list ?now|again|so ?far",
        "how many things|items are|do ?i ?have on|in my|the|our|that|this list",
        "show|read|give|display|print ?me ?my|the|our|that|this list|it ?again|now",
        "what do i need|have to buy|get|pack|bring",
        "how many items|things ?are ?there|left ?on ?it",
        "what is left",
    ]) && (known || line.has(&["list"]));
    let name = named.map(|found| found[0]).or(bare.then_some(""))?;
    if talk.lists.open(name, false).is_none() {
        let title = title(&self::named(name), es);
        return Some(if es {
            format!("Aún no existe {title}; dime qué añado.")
        } else {
            format!(
                "There's nothing there yet: {} hasn't been started. Tell me what to add.",
                title
            )
        });
    }
    if line.has(&["many"]) {
        let list = talk.lists.open("", false)?;
        let (count, title) = (list.items.len(), title(&list.name.clone(), es));
        return Some(if es {
            format!("Hay {count} en {title}.")
        } else {
            format!(
                "{count} {} on {title}.",
                if count == 1 { "item" } else { "items" }
            )
        });
    }
    Some(show(talk))
}

fn show(talk: &Talk) -> String {
    let es = talk.spanish;
    let Some(list) = talk.lists.all.get(talk.lists.last) else {
        return "There is no list yet.".to_owned();
    };
    let title = super::learning::capital(&title(&list.name, es));
    if list.items.is_empty() {
        return if es {
            format!("{title} está vacía.")
        } else {
            format!("{title} is empty.")
        };
    }
    let rows: Vec<String> = list
        .items
        .iter()
        .take(40)
        .map(|item| format!("- {}", clip(item, 60)))
        .collect();
    format!("{title}:\n\n{}", rows.join("\n"))
}

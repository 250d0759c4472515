//! What Markdown looks like once it is set.

use super::*;

fn texts(markdown: &str, width: usize) -> Vec<String> {
    set(markdown, width)
        .iter()
        .map(|line| line.text().trim_end().to_owned())
        .collect()
}

fn painted(markdown: &str) -> String {
    let lines = set(markdown, 80);
    let lines: Vec<String> = lines.iter().map(|line| line.painted(true)).collect();
    lines.join("\n")
}

#[test]
fn blocks_stand_apart() {
    let text = "# Title\nA paragraph\nof two lines.\n\n- one\n- two\n  - deeper\n\n1. first\n2. second\n\n> quoted\n> more\n\n---\n";
    assert_eq!(
        texts(text, 40),
        [
            "Title",
            "",
            "A paragraph of two lines.",
            "",
            "• one",
            "• two",
            "  • deeper",
            "",
            "1. first",
            "2. second",
            "",
            "│ quoted more",
            "",
            &"─".repeat(40),
        ]
    );
}

#[test]
fn a_loose_list_keeps_its_air() {
    let text = "- one\n\n  still one\n\n- two\n\nafter";
    assert_eq!(
        texts(text, 40),
        ["• one", "", "  still one", "", "• two", "", "after"]
    );
}

#[test]
fn a_task_is_marked_in_place_of_its_bullet() {
    assert_eq!(texts("- [x] done\n- [ ] to do", 40), ["☑ done", "☐ to do"]);
}

#[test]
fn code_keeps_its_spaces() {
    let text = "```rust\nfn main() {\n    print!();\n}\n```\nafter";
    assert_eq!(
        texts(text, 40),
        [
            "  rust",
            "    fn main() {",
            "        print!();",
            "    }",
            "",
            "after"
        ]
    );
    // A fence that has not ended yet is code already.
    assert_eq!(texts("```\nhalf", 40), ["    half"]);
}

#[test]
fn words_wear_their_looks() {
    assert_eq!(painted("**bold**"), "\x1b[1mbold\x1b[0m");
    assert_eq!(
        painted("*it* `code`"),
        "\x1b[3mit\x1b[0m \x1b[36mcode\x1b[0m"
    );
    assert_eq!(painted("# Title"), "\x1b[1;4mTitle\x1b[0m");
    assert_eq!(painted("## Title"), "\x1b[1mTitle\x1b[0m");
    assert_eq!(painted("~~no~~"), "\x1b[9mno\x1b[0m");
    assert_eq!(
        painted("[text](http://x.y)"),
        "\x1b[4mtext\x1b[0m\x1b[2m (http://x.y)\x1b[0m"
    );
    assert_eq!(painted("<http://x.y>"), "\x1b[4mhttp://x.y\x1b[0m");
}

#[test]
fn a_table_is_aligned() {
    let text = "| name | n |\n|:--|--:|\n| one | 1 |\n| twenty | 20 |\n";
    assert_eq!(
        texts(text, 40),
        ["name     n", "──────  ──", "one      1", "twenty  20"]
    );
    let wide = format!("| a | b |\n|--|--|\n| {} | short |\n", "word ".repeat(20));
    assert!(set(&wide, 30).iter().all(|line| line.width() <= 30));
}

#[test]
fn nothing_that_was_written_is_obeyed() {
    let texts = [
        "a \x1b[31m b",
        "`\x1b[2J`",
        "&#27;[2J",
        "```\n\x1b]0;t\x07\n```",
        "# \u{9b}2J",
        "[t](http://x/\x1b[2J)",
        "| \x1b[1m |\n|--|\n| \x1b |\n",
        "<b \x1b[2J>",
    ];
    for text in texts {
        for line in set(text, 40) {
            let text = line.text();
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
    }
}

#[test]
fn every_line_fits() {
    let text = "> - a list of *many* words in a quote, and `code` in it\n>   1. deeper and deeper it goes\n\n```\nlet x = a_very_long_line_of_code(with, arguments);\n```\n";
    for width in [24, 40, 80] {
        for line in set(text, width) {
            assert!(line.width() <= width, "{width}: {:?}", line.text());
        }
    }
}

mod anything {
    use super::set;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn can_be_set(text in "(?s)[#*_`>\\-0-9.|\\[\\]()<&; a-z\n\t\u{1b}漢]{0,200}", width in 1_usize..90) {
            for line in set(&text, width) {
                prop_assert!(!line.text().chars().any(char::is_control));
            }
        }
    }
}

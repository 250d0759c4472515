//! Tickets as those who hold them see it: turns come and go with them, and nothing of them stays behind.

use futures_util::FutureExt as _;

use super::*;

fn take(queue: &Queue, provider: &str, owner: &str, at: usize) -> Ticket {
    let id = format!("{at:06}");
    queue
        .take(provider, owner, &id, Priority::default())
        .map_err(|_| "full")
        .unwrap()
}

fn is_empty(queue: &Queue) -> bool {
    queue.tell_positions();
    let lanes = queue.lanes();
    lanes.tickets.is_empty() && lanes.by_provider.is_empty()
}

#[test]
fn a_turn_is_given_back_whether_its_holder_has_seen_it_or_not() {
    let queue = Queue::new(Turns::each(1));
    let first = take(&queue, "a", "ana", 1);
    let second = take(&queue, "a", "ana", 2);
    let mut third = take(&queue, "a", "ana", 3);
    assert_eq!(first.place(), Place::Turn);
    assert_eq!(second.place(), Place::Waiting(0));
    assert_eq!(third.place(), Place::Waiting(1));
    drop(first);
    assert_eq!(second.place(), Place::Turn);
    drop(second);
    assert_eq!(third.moved().now_or_never(), Some(Place::Turn));
    drop(third);
    assert!(is_empty(&queue));
}

#[test]
fn each_provider_has_a_lane_of_its_own_and_its_own_bound() {
    let queue = Queue::new(Turns::by(|provider| provider.len()));
    let tickets: Vec<Ticket> = (0..6)
        .map(|at| {
            take(
                &queue,
                if at % 2 == 0 { "a" } else { "four" },
                &format!("o{at}"),
                at,
            )
        })
        .collect();
    let turns = tickets.iter().map(|ticket| ticket.place() == Place::Turn);
    assert_eq!(
        turns.collect::<Vec<_>>(),
        [true, true, false, true, false, true]
    );
}

#[test]
fn an_owner_has_its_share_and_a_bound_on_what_waits() {
    for (at_once, share, expected) in [
        (1, 75, 1),
        (2, 75, 2),
        (4, 75, 3),
        (256, 75, 192),
        (8, 1, 1),
        (8, 100, 8),
    ] {
        let turns = Turns::each(at_once).with(Owners { share, waiting: 3 });
        assert_eq!(turns.bounds("a"), (at_once, expected));
        let queue = Queue::new(turns);
        let mut tickets: Vec<Ticket> = (0..expected + 3)
            .map(|at| take(&queue, "a", "ana", at))
            .collect();
        let at_work = tickets
            .iter()
            .filter(|ticket| ticket.place() == Place::Turn);
        assert_eq!(at_work.count(), expected);
        // Of all providers together.
        let refused = queue.take("b", "ana", "refused", Priority::default());
        assert!(refused.is_err());
        assert!(queue.take("a", "bob", "his", Priority::default()).is_ok());
        // What was accepted before comes in all the same.
        tickets.push(queue.readmit("a", "ana", "readmitted", Priority::default()));
        drop(tickets);
        assert!(is_empty(&queue));
    }
}

#[test]
fn what_was_taken_over_goes_before_what_came_later() {
    let queue = Queue::new(Turns::each(1));
    let first = take(&queue, "a", "ana", 5);
    let later = take(&queue, "a", "ana", 6);
    let earlier = queue.readmit("a", "ana", "000001", Priority::default());
    queue.tell_positions();
    assert_eq!(
        (earlier.place(), later.place()),
        (Place::Waiting(0), Place::Waiting(1))
    );
    drop(first);
    assert_eq!(earlier.place(), Place::Turn);
}

#[test]
fn a_long_queue_tells_those_far_back_in_large_steps() {
    let turns = Turns::each(1).with(Owners {
        share: 100,
        waiting: 100_000,
    });
    let queue = Queue::new(turns);
    let mut tickets: Vec<Ticket> = (0..3000)
        .map(|at| take(&queue, "a", &format!("owner {}", at % 40), at))
        .collect();
    queue.tell_positions();
    let mut told = 0;
    for _ in 0..50 {
        // Whoever works is done, and one more is served.
        let at = tickets
            .iter()
            .position(|ticket| ticket.place() == Place::Turn);
        tickets.swap_remove(at.unwrap());
        for ticket in &mut tickets {
            ticket.place.mark_unchanged();
        }
        queue.tell_positions();
        told += tickets
            .iter()
            .filter(|ticket| ticket.place.has_changed().unwrap())
            .count();
    }
    // A hundred near ones each time, and a few of the others.
    assert!(told < 50 * 150, "{told} of 150,000 were told");
    assert!(told > 50 * 90, "{told}");
    let mut places: Vec<u32> = tickets
        .iter()
        .filter_map(|ticket| match ticket.place() {
            Place::Waiting(place) => Some(place),
            Place::Turn => None,
        })
        .collect();
    places.sort_unstable();
    for (at, place) in places.iter().enumerate() {
        let known = position(at);
        assert!(
            place.abs_diff(known) <= 2 + known / 5,
            "told {place}, it is {known}"
        );
    }
    drop(tickets);
    assert!(is_empty(&queue));
}

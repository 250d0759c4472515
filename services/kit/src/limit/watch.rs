//! The file of limits, read again when it changes: a wrong one changes nothing, and is told once.

use std::sync::Arc;

use super::{Limits, Table};
use crate::followed::FollowedFile;

/// Keeps limits as their file says; runs until it is dropped.
pub async fn follow(file: FollowedFile, limits: Arc<Limits>) {
    // What was read at the start is what holds; a change since is found by comparing what is understood.
    let take = |table: Table| {
        let is_other = table != *limits.table();
        if is_other {
            limits.change(table);
        }
        Ok(is_other)
    };
    file.keep("the limits", "atelier_limits_are_good", Table::read, take)
        .await;
}

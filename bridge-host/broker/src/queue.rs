//! A queue in which priority counts, and waiting counts as priority: nobody starves.
//!
//! Each has a priority and a moment since when it waits. Waiting for `ageing_us` counts as one more of priority. All age alike, so
//! the order of two never changes, and can be kept: those of one priority in order of arrival, and the next of all is the best of
//! the first of each. Knows nothing of what is queued.

use alloc::collections::{BTreeMap, VecDeque};

use ninedoor_abi::MonoUs;

/// One that waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Waiting<T> {
    pub(crate) priority: u8,
    pub(crate) since: MonoUs,
    pub(crate) what: T,
}

/// See the module. `T`'s order decides between two of the same priority and moment.
#[derive(Debug, Clone)]
pub(crate) struct AgedQueue<T> {
    ageing_us: u64,
    classes: BTreeMap<u8, VecDeque<(MonoUs, T)>>,
    len: usize,
}

impl<T: Copy + Ord> AgedQueue<T> {
    pub(crate) const fn new(ageing_us: u64) -> Self {
        Self { ageing_us, classes: BTreeMap::new(), len: 0 }
    }

    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn push(&mut self, waiting: Waiting<T>) {
        let class = self.classes.entry(waiting.priority).or_default();
        let at = class.partition_point(|&other| other < (waiting.since, waiting.what));
        class.insert(at, (waiting.since, waiting.what));
        self.len += 1;
    }

    /// Takes one out, wherever it is; whether it was there.
    pub(crate) fn remove(&mut self, waiting: Waiting<T>) -> bool {
        let Some(class) = self.classes.get_mut(&waiting.priority) else { return false };
        let Ok(at) = class.binary_search(&(waiting.since, waiting.what)) else { return false };
        class.remove(at);
        if class.is_empty() {
            self.classes.remove(&waiting.priority);
        }
        self.len -= 1;
        true
    }

    /// The next.
    pub(crate) fn first(&self) -> Option<T> {
        let first_of_each = self.classes.iter().filter_map(|(priority, class)| {
            class.front().map(|&(since, what)| (self.rank_key(*priority, since), since, what))
        });
        first_of_each.min().map(|(_, _, what)| what)
    }

    /// How many are before it.
    pub(crate) fn ahead_of(&self, waiting: Waiting<T>) -> usize {
        let own = (self.rank_key(waiting.priority, waiting.since), waiting.since, waiting.what);
        let ahead = |(priority, class): (&u8, &VecDeque<(MonoUs, T)>)| {
            class.partition_point(|&(since, what)| {
                (self.rank_key(*priority, since), since, what) < own
            })
        };
        self.classes.iter().map(ahead).sum()
    }

    /// All of them, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = T> {
        let mut all: alloc::vec::Vec<_> = self
            .classes
            .iter()
            .flat_map(|(priority, class)| {
                class.iter().map(|&(since, what)| (self.rank_key(*priority, since), since, what))
            })
            .collect();
        all.sort_unstable();
        all.into_iter().map(|(_, _, what)| what)
    }

    /// Lower goes first: the moment it would have come if it had begun with priority 0.
    fn rank_key(&self, priority: u8, since: MonoUs) -> i128 {
        i128::from(since.0) - i128::from(priority) * i128::from(self.ageing_us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;
    use proptest::prelude::*;

    fn waiting(priority: u8, since_us: u64, what: u32) -> Waiting<u32> {
        Waiting { priority, since: MonoUs(since_us), what }
    }

    #[test]
    fn waiting_counts_as_priority() {
        let mut queue = AgedQueue::new(10);
        queue.push(waiting(0, 0, 1));
        queue.push(waiting(2, 19, 2));
        assert_eq!(queue.first(), Some(2), "19 waited less than two priorities are worth");
        queue.push(waiting(2, 21, 3));
        assert!(queue.remove(waiting(2, 19, 2)));
        assert_eq!(queue.first(), Some(1), "21 more than two priorities are worth");
        assert_eq!(queue.ahead_of(waiting(2, 21, 3)), 1);
    }

    proptest! {
        #[test]
        fn queue_agrees_with_a_sorted_list(
            steps in prop::collection::vec((any::<bool>(), 0_u8..4, 0_u64..40, 0_u32..200), 0..200),
        ) {
            let mut queue = AgedQueue::new(10);
            let mut model: Vec<(i128, MonoUs, u32, u8)> = Vec::new();
            for (push, priority, since_us, what) in steps {
                let one = waiting(priority, since_us, what);
                let entry = (i128::from(since_us) - i128::from(priority) * 10, one.since, what, priority);
                if push && !model.contains(&entry) {
                    queue.push(one);
                    model.push(entry);
                    model.sort_unstable();
                } else {
                    let at = model.iter().position(|other| *other == entry);
                    prop_assert_eq!(queue.remove(one), at.is_some());
                    at.map(|at| model.remove(at));
                }
                prop_assert_eq!(queue.len(), model.len());
                prop_assert_eq!(queue.is_empty(), model.is_empty());
                prop_assert_eq!(queue.first(), model.first().map(|entry| entry.2));
                let order: Vec<_> = model.iter().map(|entry| entry.2).collect();
                prop_assert_eq!(queue.iter().collect::<Vec<_>>(), order);
                for (index, &(_, since, what, priority)) in model.iter().enumerate() {
                    prop_assert_eq!(queue.ahead_of(Waiting { priority, since, what }), index);
                }
            }
        }
    }
}

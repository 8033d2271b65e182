//! Numbered places that are used again, each time under a new epoch: a key kept too long finds nothing instead of a stranger.

use alloc::vec::Vec;

/// Where something lies, and since when.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    index: u32,
    epoch: u32,
}

impl Key {
    /// The key as one number, unique for the life of the slab.
    pub(crate) const fn number(self) -> u64 {
        ((self.epoch as u64) << 32) | self.index as u64
    }

    /// The key that [`Key::number`] made.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the two halves of the number are the two fields"
    )]
    pub(crate) const fn from_number(number: u64) -> Self {
        Self { index: number as u32, epoch: (number >> 32) as u32 }
    }
}

#[derive(Debug)]
struct Place<T> {
    epoch: u32,
    content: Option<T>,
}

/// A table whose places are used again.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self { places: Vec::new(), free: Vec::new() }
    }

    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }

    pub(crate) fn insert(&mut self, content: T) -> Key {
        if let Some(index) = self.free.pop()
            && let Some(place) = self.places.get_mut(index as usize)
        {
            place.content = Some(content);
            return Key { index, epoch: place.epoch };
        }
        let index =
            u32::try_from(self.places.len()).expect("limits.rs keeps every table far below 2^32");
        self.places.push(Place { epoch: 0, content: Some(content) });
        Key { index, epoch: 0 }
    }

    pub(crate) fn get(&self, key: Key) -> Option<&T> {
        self.places
            .get(key.index as usize)
            .filter(|place| place.epoch == key.epoch)?
            .content
            .as_ref()
    }

    pub(crate) fn get_mut(&mut self, key: Key) -> Option<&mut T> {
        self.places
            .get_mut(key.index as usize)
            .filter(|place| place.epoch == key.epoch)?
            .content
            .as_mut()
    }

    pub(crate) fn remove(&mut self, key: Key) -> Option<T> {
        let place =
            self.places.get_mut(key.index as usize).filter(|place| place.epoch == key.epoch)?;
        let content = place.content.take()?;
        place.epoch = place.epoch.wrapping_add(1);
        self.free.push(key.index);
        Some(content)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.places.iter().zip(0u32..).filter_map(|(place, index)| {
            Some((Key { index, epoch: place.epoch }, place.content.as_ref()?))
        })
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (Key, &mut T)> {
        self.places.iter_mut().zip(0u32..).filter_map(|(place, index)| {
            Some((Key { index, epoch: place.epoch }, place.content.as_mut()?))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_key_finds_nothing_after_its_place_is_used_again() {
        let mut slab = Slab::new();
        let old = slab.insert("old");
        assert_eq!(slab.remove(old), Some("old"));
        let new = slab.insert("new");
        assert_eq!(new.index, old.index);
        assert_eq!(slab.get(old), None);
        assert_eq!(slab.remove(old), None);
        assert_eq!(slab.get(new), Some(&"new"));
        assert_eq!(Key::from_number(new.number()), new);
    }

    #[test]
    fn places_are_used_again_before_new_ones_are_made() {
        let mut slab = Slab::new();
        for round in 0..1000 {
            let key = slab.insert(round);
            slab.remove(key);
        }
        assert_eq!((slab.places.len(), slab.len()), (1, 0));
    }
}

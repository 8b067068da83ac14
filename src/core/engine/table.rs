//! Statuses by index, in chunks behind `Arc`: publishing a world copies pointers, changing one status copies
//! its chunk once per publication.

use std::sync::Arc;

/// Statuses in one chunk; measured best between 32 (more pointers to copy) and 256 (more to copy on write).
pub const CHUNK: usize = 64;

#[derive(Clone, Debug)]
pub struct Table<T> {
    chunks: Vec<Arc<Vec<T>>>,
    len: usize,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Self { chunks: Vec::new(), len: 0 }
    }
}

impl<T: Clone> Table<T> {
    pub fn len(&self) -> usize {
        self.len
    }

    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn get(&self, index: usize) -> &T {
        &self.chunks[index / CHUNK][index % CHUNK]
    }

    pub fn get_mut(&mut self, index: usize) -> &mut T {
        &mut Arc::make_mut(&mut self.chunks[index / CHUNK])[index % CHUNK]
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.chunks.iter().flat_map(|chunk| chunk.iter())
    }

    /// Indexes of chunks that are not the very same in `before`: where a reader must look again.
    pub fn changed_chunks<'a>(&'a self, before: &'a Self) -> impl Iterator<Item = (usize, &'a [T])> + 'a {
        self.chunks.iter().enumerate().filter_map(|(at, chunk)| {
            let is_same = before.chunks.get(at).is_some_and(|old| Arc::ptr_eq(old, chunk));
            (!is_same).then_some((at * CHUNK, chunk.as_slice()))
        })
    }
}

impl<T: Clone> FromIterator<T> for Table<T> {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut chunks = Vec::new();
        let mut chunk = Vec::with_capacity(CHUNK);
        let mut len = 0;
        for item in items {
            chunk.push(item);
            len += 1;
            if chunk.len() == CHUNK {
                chunks.push(Arc::new(std::mem::replace(&mut chunk, Vec::with_capacity(CHUNK))));
            }
        }
        if !chunk.is_empty() {
            chunks.push(Arc::new(chunk));
        }
        Self { chunks, len }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_touches_one_chunk_and_leaves_the_published_copy_alone() {
        let mut table: Table<u32> = (0..200).collect();
        let published = table.clone();
        *table.get_mut(130) = 7;
        assert_eq!((table.len(), *published.get(130), *table.get(130)), (200, 130, 7));
        let changed: Vec<usize> = table.changed_chunks(&published).map(|(first, _)| first).collect();
        assert_eq!(changed, [128]);
    }
}

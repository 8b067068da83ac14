//! Effective values of a configuration on disk, for `vigia show` and `vigia diff`.

use super::decode::Decoder;
use super::effective::EffectiveObject;
use super::files::{Author, Files, LoadError, Request};
use super::last_good::LastGood;
use super::own;
use super::place::Sources;
use super::resolve;
use super::tree;
use super::written::Written;

/// Effective values of one host and its services, or of everything.
///
/// # Errors
/// When there is no main file. Objects with a mistake are left out.
pub fn explain(request: &Request, host: Option<&str>) -> Result<Vec<EffectiveObject>, LoadError> {
    let last_good = request.last_good();
    let mut files = Files::read(request)?;
    let forms = own::Forms::add(&mut files.sources);
    let first = files.parse();
    let parsed = match last_good.filter(|_| !first.unreadable.is_empty()) {
        None => first,
        Some(last_good) => {
            let unreadable = first.unreadable.clone();
            drop(first);
            files.stand_in_for(&unreadable, &last_good);
            files.parse()
        }
    };
    let mut documents = parsed.documents;
    documents.extend(files.parse_stand_ins());
    let own = forms.map(own::Own::of(documents.iter().map(|document| &document.map)), &files.sources);
    let mut decoder = Decoder::default();
    let mut written = Written::default();
    for document in &documents {
        written.add(&document.map, document.author, &mut decoder);
    }
    if let Some(map) = &own {
        written.add(map, Author::Person, &mut decoder);
    }
    Ok(resolve::explain::explain(&written, host, &files.sources))
}

/// Effective values of one host of what ran last and its services, or of everything; nothing where no daemon ever
/// ran on that state.
pub fn explain_last(last_good: &LastGood, host: Option<&str>) -> Option<Vec<EffectiveObject>> {
    let mut sources = Sources::default();
    let files: Vec<_> =
        last_good.kept().into_iter().map(|(author, source)| (author, sources.add(source))).collect();
    if files.is_empty() {
        return None;
    }
    let mut decoder = Decoder::default();
    let forms = own::Forms::add(&mut sources);
    let limits = tree::Limits::default();
    let maps: Vec<_> = files
        .iter()
        .filter_map(|(author, file)| {
            let map = tree::parse(sources.of(*file)?, *file, &limits, &mut Vec::new())?;
            Some((*author, map))
        })
        .collect();
    let own = forms.map(own::Own::of(maps.iter().map(|(_, map)| map)), &sources);
    let mut written = Written::default();
    for (author, map) in &maps {
        written.add(map, *author, &mut decoder);
    }
    if let Some(map) = &own {
        written.add(map, Author::Person, &mut decoder);
    }
    Some(resolve::explain::explain(&written, host, &sources))
}

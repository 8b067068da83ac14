//! Real folders, changed as editors and tools change them. Each test waits for the change itself.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;

const QUICK: Patience = Patience {
    settle: Duration::from_millis(20),
    settle_at_most: Duration::from_millis(200),
    // So far away that only an event can have told.
    scan: Duration::from_secs(3600),
    poll: Duration::from_millis(50),
};

/// A watched folder `conf.d` with `a.yaml` in it.
struct Site {
    root: tempfile::TempDir,
    watcher: Watcher,
}

/// Every `*.yaml` in the folder, as the configuration has it.
fn yaml_in(folder: PathBuf) -> Sources {
    Sources::new(move || {
        let listed = fs::read_dir(&folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let files = listed.filter(|path| path.extension().is_some_and(|ext| ext == "yaml")).collect();
        Files { files, folders: vec![folder.clone()] }
    })
}

impl Site {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let folder = root.path().join("conf.d");
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("a.yaml"), "one").unwrap();
        let watcher = Watcher::start(yaml_in(folder), QUICK).unwrap();
        Self { root, watcher }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    async fn is_seen(&mut self) {
        self.watcher.changed().await;
    }

    /// Nothing else may have been told: a change afterwards is the next thing told.
    async fn is_quiet(&mut self) {
        let before = *self.watcher.changes.borrow_and_update();
        fs::write(self.path("conf.d/proof.yaml"), format!("{before}")).unwrap();
        self.is_seen().await;
        assert_eq!(*self.watcher.changes.borrow(), before + 1);
    }
}

#[tokio::test]
async fn a_write_in_place_is_seen() {
    let mut site = Site::new();
    fs::write(site.path("conf.d/a.yaml"), "two").unwrap();
    site.is_seen().await;
}

#[tokio::test]
async fn vim_is_seen_each_time() {
    let mut site = Site::new();
    for text in ["two", "three", "four"] {
        fs::write(site.path("conf.d/4913"), "").unwrap();
        fs::remove_file(site.path("conf.d/4913")).unwrap();
        fs::rename(site.path("conf.d/a.yaml"), site.path("conf.d/a.yaml~")).unwrap();
        fs::write(site.path("conf.d/a.yaml"), text).unwrap();
        fs::remove_file(site.path("conf.d/a.yaml~")).unwrap();
        site.is_seen().await;
    }
}

#[tokio::test]
async fn emacs_is_seen_and_its_lock_is_not() {
    let mut site = Site::new();
    symlink("someone@somewhere.1", site.path("conf.d/.#a.yaml")).unwrap();
    site.is_quiet().await;
    fs::write(site.path("conf.d/#a.yaml#"), "tw").unwrap();
    fs::rename(site.path("conf.d/a.yaml"), site.path("conf.d/a.yaml~")).unwrap();
    fs::write(site.path("conf.d/a.yaml"), "two").unwrap();
    fs::remove_file(site.path("conf.d/.#a.yaml")).unwrap();
    site.is_seen().await;
}

#[tokio::test]
async fn a_file_moved_over_another_is_seen() {
    let mut site = Site::new();
    fs::write(site.path("new"), "two").unwrap();
    fs::rename(site.path("new"), site.path("conf.d/a.yaml")).unwrap();
    site.is_seen().await;
}

#[tokio::test]
async fn the_same_content_again_is_no_change() {
    let mut site = Site::new();
    fs::write(site.path("conf.d/a.yaml"), "one").unwrap();
    fs::File::open(site.path("conf.d/a.yaml")).unwrap();
    site.is_quiet().await;
}

#[tokio::test]
async fn an_older_file_put_back_is_seen() {
    let mut site = Site::new();
    fs::write(site.path("old"), "before").unwrap();
    let long_ago = std::time::SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::options().write(true).open(site.path("old")).unwrap().set_modified(long_ago).unwrap();
    fs::rename(site.path("old"), site.path("conf.d/a.yaml")).unwrap();
    site.is_seen().await;
}

#[tokio::test]
async fn a_folder_that_was_deleted_is_watched_again_when_it_returns() {
    let mut site = Site::new();
    fs::remove_dir_all(site.path("conf.d")).unwrap();
    site.is_seen().await;
    fs::create_dir(site.path("conf.d")).unwrap();
    fs::write(site.path("conf.d/b.yaml"), "one").unwrap();
    site.is_seen().await;
    fs::write(site.path("conf.d/b.yaml"), "two").unwrap();
    site.is_seen().await;
}

#[tokio::test]
async fn a_folder_replaced_by_another_is_watched_in_its_place() {
    let mut site = Site::new();
    fs::create_dir(site.path("next")).unwrap();
    fs::write(site.path("next/a.yaml"), "two").unwrap();
    fs::rename(site.path("conf.d"), site.path("before")).unwrap();
    fs::rename(site.path("next"), site.path("conf.d")).unwrap();
    site.is_seen().await;
    fs::write(site.path("conf.d/a.yaml"), "three").unwrap();
    site.is_seen().await;
}

/// As the kubelet publishes a `ConfigMap`: the files are links through a link that is swapped.
fn publish(folder: &Path, version: &str, text: &str) {
    let data = folder.join(version);
    fs::create_dir(&data).unwrap();
    fs::write(data.join("a.yaml"), text).unwrap();
    symlink(version, folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
}

#[tokio::test]
async fn a_config_map_is_seen_each_time_it_is_swapped() {
    let root = tempfile::tempdir().unwrap();
    publish(root.path(), "..1", "one");
    symlink("..data/a.yaml", root.path().join("a.yaml")).unwrap();
    let mut watcher = Watcher::start(yaml_in(root.path().to_path_buf()), QUICK).unwrap();
    for (version, text) in [("..2", "two"), ("..3", "three")] {
        publish(root.path(), version, text);
        watcher.changed().await;
    }
}

#[tokio::test]
async fn a_swapped_link_far_up_the_path_is_seen() {
    let root = tempfile::tempdir().unwrap();
    for (version, text) in [("1", "one"), ("2", "two")] {
        let folder = root.path().join(version).join("etc/conf.d");
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a.yaml"), text).unwrap();
    }
    symlink("1", root.path().join("current")).unwrap();
    let folder = root.path().join("current/etc/conf.d");
    let mut watcher = Watcher::start(yaml_in(folder.clone()), QUICK).unwrap();
    symlink("2", root.path().join("next")).unwrap();
    fs::rename(root.path().join("next"), root.path().join("current")).unwrap();
    watcher.changed().await;
    fs::write(folder.join("a.yaml"), "three").unwrap();
    watcher.changed().await;
}

#[tokio::test]
async fn without_watches_it_looks_often_instead() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().to_path_buf();
    fs::write(folder.join("a.yaml"), "one").unwrap();
    let (wake, woken) = mpsc::channel();
    let (tell, mut changes) = watch::channel(0);
    let (unused, _) = mpsc::channel();
    let mut folders = Folders::new(unused);
    folders.lose_watches();
    let survey = Survey::new(yaml_in(folder.clone()));
    let trouble = watch::channel(None).0;
    let mut watching = Watching { folders, survey, patience: QUICK, woken, tell, trouble };
    assert!(!watching.look());
    let thread = thread::spawn(move || watching.run());
    fs::write(folder.join("a.yaml"), "two").unwrap();
    changes.changed().await.unwrap();
    drop(wake);
    thread.join().unwrap();
}

#[tokio::test]
async fn what_changed_between_reading_and_watching_is_seen() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().to_path_buf();
    fs::write(folder.join("a.yaml"), "one").unwrap();
    let sources = yaml_in(folder.clone());
    sources.reading(|| ());
    fs::write(folder.join("a.yaml"), "two").unwrap();
    let mut watcher = Watcher::start(sources, QUICK).unwrap();
    watcher.changed().await;
}

#[test]
fn what_was_there_before_a_reading_is_a_change_after_it() {
    let root = tempfile::tempdir().unwrap();
    let file = root.path().join("a.yaml");
    let write = |text| fs::write(&file, text).unwrap();
    write("one");
    let sources = yaml_in(root.path().to_path_buf());
    let mut survey = Survey::new(sources.clone());
    assert!(!survey.has_changed(), "the first look only remembers");
    write("two");
    sources.reading(|| ());
    assert!(!survey.has_changed(), "it is what was read");
    write("three");
    sources.reading(|| ());
    write("two");
    assert!(survey.has_changed(), "what was read is `three`");
}

#[test]
fn what_changed_and_changed_back_while_it_was_read_is_read_again() {
    let root = tempfile::tempdir().unwrap();
    let (file, new) = (root.path().join("a.yaml"), root.path().join("new"));
    fs::write(&file, "one").unwrap();
    let sources = yaml_in(root.path().to_path_buf());
    let mut survey = Survey::new(sources.clone());
    sources.reading(|| {
        for text in ["two", "one"] {
            fs::write(&new, text).unwrap();
            fs::rename(&new, &file).unwrap();
        }
    });
    assert!(survey.has_changed());
    assert!(!survey.has_changed(), "told once");
}

#[tokio::test]
async fn a_mistake_of_ours_ends_the_watches_and_not_the_scan() {
    let root = tempfile::tempdir().unwrap();
    let folder = root.path().to_path_buf();
    fs::write(folder.join("a.yaml"), "one").unwrap();
    let inner = yaml_in(folder.clone());
    let asked = std::sync::atomic::AtomicUsize::new(0);
    // The start asks twice; the first look after it fails.
    let sources = Sources::new(move || {
        assert_ne!(asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed), 2, "a mistake of ours");
        inner.ask()
    });
    let patience = Patience { scan: Duration::from_millis(50), ..QUICK };
    let mut watcher = Watcher::start(sources, patience).unwrap();
    let mut trouble = watcher.trouble();
    trouble.wait_for(Option::is_some).await.unwrap();
    fs::write(folder.join("a.yaml"), "two").unwrap();
    watcher.changed().await;
}

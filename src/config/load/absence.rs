//! What cannot be seen is not gone: folders without rights, a broken main file, a mistaken `include`.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::thread;

use insta::assert_snapshot;

use super::tests::{Folder, one};
use super::*;
use crate::config::files::find;

const MAIN: &str = "include: [site, one.yaml]\nlimits: {file: 1MiB}\n";
const SITE: &str = "hosts: {a: {address: 192.0.2.1, services: [ssh]}}";
const ONE: &str = "hosts: {b: 192.0.2.2}";

/// Loaded and remembered.
fn running(files: &[(&str, &str)]) -> Folder {
    let folder = Folder::new(files);
    fs::set_permissions(folder.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    let loaded = folder.load();
    assert_eq!(problem::text(&loaded.problems), "");
    loaded.remember(&folder.path("state")).unwrap();
    folder
}

fn site() -> Folder {
    running(&[("vigia.yaml", MAIN), ("site/a.yaml", SITE), ("one.yaml", ONE)])
}

fn hosts(loaded: &Loaded) -> String {
    loaded.inventory.hosts.iter().map(|host| &*host.name).collect::<Vec<_>>().join(" ")
}

impl Folder {
    fn mode(&self, path: &str, mode: u32) {
        fs::set_permissions(self.path(path), fs::Permissions::from_mode(mode)).unwrap();
    }

    /// As a daemon without any special right sees it, but for the state folder, which is its own.
    fn load_as_nobody(&self) -> Loaded {
        self.mode("state", 0o755);
        self.mode("state/last-good", 0o755);
        for entry in fs::read_dir(self.path("state/last-good")).unwrap() {
            fs::set_permissions(entry.unwrap().path(), fs::Permissions::from_mode(0o644)).unwrap();
        }
        let request = self.request();
        let look = move || {
            // On Linux a thread has rights of its own; for whoever is not root this changes nothing.
            nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65534));
            load(&request).unwrap()
        };
        thread::spawn(look).join().unwrap()
    }

    /// Twice, with what the first load remembers: what is kept once is kept for good.
    fn goes_on_with(&self, expected: &str) -> String {
        self.load().remember(&self.path("state")).unwrap();
        assert_eq!(hosts(&self.load()), expected);
        self.problems()
    }

    fn has(&self, expected: &str) {
        let loaded = self.load();
        assert_eq!((hosts(&loaded).as_str(), problem::text(&loaded.problems).as_str()), (expected, ""));
    }
}

#[test]
fn a_folder_that_may_not_be_read_is_not_empty() {
    let files = [("vigia.yaml", ""), ("conf.d/team/deep/a.yaml", SITE), ("conf.d/b.yaml", ONE)];
    let folder = running(&files);
    for (path, mode) in
        [("conf.d/team", 0), ("conf.d/team", 0o600), ("conf.d/team/deep", 0o311), ("conf.d", 0)]
    {
        folder.mode(path, mode);
        let loaded = folder.load_as_nobody();
        let problems = problem::text(&loaded.problems);
        folder.mode(path, 0o755);
        assert_eq!(hosts(&loaded), "a b", "{path} {mode:o}: {problems}");
        assert!(problems.contains(path) && problems.contains("Permission denied"), "{problems}");
        assert!(problems.contains("on as last good"), "{problems}");
    }
    folder.has("a b");
    // Whoever looks without the daemon's rights is told, and it is no mistake of the files.
    folder.mode("state", 0);
    let request = folder.request();
    let look = move || {
        nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65534));
        load(&request).unwrap()
    };
    let loaded = thread::spawn(look).join().unwrap();
    folder.mode("state", 0o755);
    assert_eq!((loaded.errors(), loaded.warnings()), (0, 1), "{}", problem::text(&loaded.problems));
}

#[test]
fn an_entry_that_leads_in_circles_is_said_and_removes_nothing() {
    let folder = running(&[("vigia.yaml", ""), ("conf.d/team/a.yaml", SITE), ("conf.d/b.yaml", ONE)]);
    fs::rename(folder.path("conf.d/team"), folder.path("away")).unwrap();
    symlink("team", folder.path("conf.d/team")).unwrap();
    let problems = folder.goes_on_with("a b");
    assert_snapshot!(problems, @r"
    conf.d/team: cannot be looked into: Too many levels of symbolic links (os error 40)
       hint: is it mounted, and does its disk answer?; until then 1 file goes on as last good
    ");
    let watched = find(&folder.request());
    assert!(watched.folders.contains(&folder.path("conf.d")), "{watched:?}");
    fs::remove_file(folder.path("conf.d/team")).unwrap();
    folder.has("b");
}

#[test]
fn a_broken_main_file_keeps_what_it_named() {
    let folder = site();
    let watched = find(&folder.request());
    for broken in ["include: [site\n", "hosts: {", "a: \"", "include: {site: yes}\n", "include: [[site]]\n"] {
        folder.write("vigia.yaml", broken);
        let problems = folder.goes_on_with("a b");
        assert!(problems.contains("vigia.yaml:"), "{problems}");
        assert_eq!(find(&folder.request()), watched, "{broken}");
    }
    folder.write("vigia.yaml", MAIN);
    folder.has("a b");
}

#[test]
fn a_main_file_that_may_not_be_read_goes_on_as_it_was() {
    let folder = site();
    folder.mode("vigia.yaml", 0);
    let loaded = folder.load_as_nobody();
    assert_eq!(hosts(&loaded), "a b");
    assert!(problem::text(&loaded.problems).contains("vigia.yaml: cannot be read: Permission denied"));
    assert!(loaded.has_main && loaded.settings.is_some());
}

#[test]
fn a_main_file_that_never_was_good_is_no_configuration() {
    let folder =
        Folder::new(&[("vigia.yaml", "include: [site\n"), ("conf.d/a.yaml", SITE), ("site/b.yaml", ONE)]);
    let loaded = folder.load();
    assert_eq!((hosts(&loaded).as_str(), loaded.has_main, loaded.settings.is_some()), ("", false, false));
    assert!(folder.problems().contains("what `include` names is not looked at"), "{}", folder.problems());
    // Nothing in it can name other files: those of `conf.d` are meant, and their mistakes are worth telling.
    folder.write("vigia.yaml", "web: {listen: [\n");
    assert_eq!(hosts(&folder.load()), "a");
}

#[test]
fn a_typo_in_include_removes_nothing_until_the_list_is_right() {
    let folder = site();
    folder.write("vigia.yaml", "include: [stie, one.yaml]\n");
    assert_snapshot!(folder.goes_on_with("a b"), @r"
    vigia.yaml:1:11: there is no `stie`
        1 | include: [stie, one.yaml]
          |           ^^^^
       hint: 1 file goes on as last good; a right list alone removes what it does not name
    ");
    // What a person took out beside the mistake goes.
    folder.write("vigia.yaml", "include: [site, one.yaml, 'more/*.yaml']\n");
    fs::remove_file(folder.path("one.yaml")).unwrap();
    folder.write("one.yaml", "{}");
    assert!(folder.goes_on_with("a").contains("nothing matches `more/*.yaml`"));
    folder.write("one.yaml", "hosts: {c: 192.0.2.3}");
    folder.write("vigia.yaml", "include: [one.yaml]\n");
    folder.has("c");
}

#[test]
fn a_file_that_a_healthy_entry_names_is_gone_when_it_is_gone() {
    let folder =
        running(&[("vigia.yaml", "include: ['si*']\n"), ("site/a.yaml", SITE), ("site/b.yaml", ONE)]);
    folder.write("vigia.yaml", "include: ['si*', typo]\n");
    fs::remove_file(folder.path("site/b.yaml")).unwrap();
    assert!(folder.goes_on_with("a").contains("there is no"));
    // Under another name it is the same file.
    fs::remove_dir_all(folder.path("state")).unwrap();
    folder.write("vigia.yaml", "include: [site]\n");
    folder.load().remember(&folder.path("state")).unwrap();
    symlink("site", folder.path("place")).unwrap();
    folder.write("vigia.yaml", "include: [place, typo]\n");
    assert_eq!(folder.goes_on_with("a").matches("defined").count(), 0);
}

#[test]
fn an_included_folder_that_is_gone_or_empty_goes_on_as_it_was() {
    let folder = site();
    fs::rename(folder.path("site"), folder.path("away")).unwrap();
    assert_snapshot!(folder.goes_on_with("a b"), @r"
    vigia.yaml:1:11: there is no `site`
        1 | include: [site, one.yaml]
          |           ^^^^
       hint: 1 file goes on as last good; to remove what it held, take it out of `include`
    ");
    fs::create_dir(folder.path("site")).unwrap();
    assert_snapshot!(folder.goes_on_with("a b"), @r"
    vigia.yaml:1:11: `site` holds no file any more: is it mounted?
        1 | include: [site, one.yaml]
          |           ^^^^
       hint: 1 file goes on as last good; to remove what it held, take it out of `include`
    ");
    folder.write("vigia.yaml", "include: [one.yaml]\n");
    folder.has("b");
}

#[test]
fn conf_d_as_a_whole_does_not_go_by_accident() {
    let folder = running(&[("vigia.yaml", ONE), ("conf.d/a.yaml", SITE)]);
    fs::rename(folder.path("conf.d"), folder.path("away")).unwrap();
    assert_snapshot!(folder.goes_on_with("a b"), @r"
    vigia.yaml: `conf.d` is gone, and what it held
       hint: 1 file goes on as last good; to remove what it held, make the folder again, or say `include: []`
    ");
    folder.write("vigia.yaml", &format!("include: []\n{ONE}\n"));
    folder.has("b");
    // An empty one is what is left after its last file was removed.
    let folder = running(&[("vigia.yaml", ONE), ("conf.d/a.yaml", SITE)]);
    fs::remove_file(folder.path("conf.d/a.yaml")).unwrap();
    folder.has("b");
}

#[test]
fn a_misspelt_section_or_name_removes_nothing() {
    let folder = running(&[("vigia.yaml", ONE), ("conf.d/a.yaml", SITE)]);
    for mistaken in [SITE.replace("hosts", "hsots"), "hosts: [a]".to_owned(), SITE.replace("{a:", "{'a[1-':")]
    {
        folder.write("conf.d/a.yaml", &mistaken);
        let problems = folder.goes_on_with("a b");
        assert!(problems.starts_with("conf.d/a.yaml:1:"), "{mistaken}: {problems}");
        assert_eq!(
            problems.matches("hint: did you mean").count(),
            mistaken.matches("hsots").count(),
            "{problems}"
        );
    }
    // The main file too, and then its settings stay as they were.
    folder.write("conf.d/a.yaml", SITE);
    folder.write("vigia.yaml", &format!("limits: {{objects: 7}}\n{ONE}"));
    folder.load().remember(&folder.path("state")).unwrap();
    folder.write("vigia.yaml", &format!("limits: {{objects: 8}}\n{}", ONE.replace("hosts", "hsots")));
    folder.goes_on_with("a b");
    assert_eq!(folder.load().settings.map(|settings| settings.limits.objects), Some(7));
    // What was never good is no reason to leave the rest of its file out.
    folder.write("conf.d/new.yaml", "hsots: {x: 192.0.2.3}\nhosts: {c: 192.0.2.4}");
    folder.write("vigia.yaml", ONE);
    folder.goes_on_with("a b c");
}

#[test]
fn a_load_that_would_leave_no_host_keeps_what_ran() {
    let folder = running(&[("vigia.yaml", ""), ("conf.d/a.yaml", SITE), ("conf.d/b.yaml", ONE)]);
    fs::rename(folder.path("conf.d/a.yaml"), folder.path("a")).unwrap();
    folder.has("b");
    fs::rename(folder.path("conf.d/b.yaml"), folder.path("b")).unwrap();
    assert_snapshot!(folder.goes_on_with("a b"), @r"
    vigia.yaml: no host is left in the configuration: everything goes on as it was last good
       hint: is a folder not mounted, or a file empty? If nothing is to be watched any more: `vigia reload --accept-empty`, or `vigia serve --accept-empty` for a start
    ");
    assert_eq!(folder.load().inventory.services.len(), 1);
    let meant = load(&Request { accept_empty: true, ..folder.request() }).unwrap();
    assert_eq!((hosts(&meant).as_str(), problem::text(&meant.problems).as_str()), ("", ""));
    // A first start has nothing to keep.
    assert_eq!(hosts(&one("").load()), "");
    // A single host is enough to be taken at its word.
    folder.write("conf.d/c.yaml", "hosts: {c: 192.0.2.3}");
    folder.has("c");
}

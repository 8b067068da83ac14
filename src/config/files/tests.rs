//! Which files load, on a real disk.

use std::fs;
use std::os::unix::fs::symlink;

use insta::assert_snapshot;

use super::*;
use crate::config::problem::{report, text};

struct Folder(tempfile::TempDir);

impl Folder {
    fn with(files: &[(&str, &str)]) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        for (name, content) in files {
            folder.write(name, content.as_bytes());
        }
        folder
    }

    fn write(&self, name: &str, content: &[u8]) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The files that load, and every problem, with the folder's own path left out.
    fn read(&self, config: &str) -> String {
        let request = Request::new(&self.path(config), Some(&self.path("state")));
        let shown = match Files::read(&request) {
            Ok(files) => {
                let parsed = files.parse();
                let listed: String = files
                    .listed
                    .iter()
                    .map(|listed| {
                        let state =
                            if parsed.unreadable.contains(&listed.file) { " (unreadable)" } else { "" };
                        format!("{}{state}\n", listed.path.display())
                    })
                    .collect();
                listed + &text(&report(parsed.problems, &files.sources))
            }
            Err(error) => error.to_string(),
        };
        shown.replace(&format!("{}/", self.0.path().display()), "").trim().to_owned()
    }
}

#[test]
fn conf_d_loads_beside_the_main_file_in_byte_order() {
    let folder = Folder::with(&[
        ("vigia.yaml", ""),
        ("conf.d/b.yml", ""),
        ("conf.d/B.yaml", ""),
        ("conf.d/a/z.yaml", ""),
        ("other.yaml", ""),
        ("state/discovered/lan.yaml", ""),
    ]);
    assert_snapshot!(folder.read("vigia.yaml"), @r"
    vigia.yaml
    conf.d/B.yaml
    conf.d/a/z.yaml
    conf.d/b.yml
    state/discovered/lan.yaml
    ");
    assert_eq!(folder.read(".").trim_start_matches("./"), folder.read("vigia.yaml"));
}

#[test]
fn conf_d_may_be_missing() {
    assert_snapshot!(Folder::with(&[("vigia.yaml", "")]).read("vigia.yaml"), @r"vigia.yaml");
}

#[test]
fn a_folder_without_a_main_file_loads_whole() {
    let folder = Folder::with(&[("conf/x/a.yaml", ""), ("conf/b.yaml", ""), ("conf/readme.txt", "")]);
    assert_snapshot!(folder.read("conf"), @r"
    conf/b.yaml
    conf/x/a.yaml
    ");
}

#[test]
fn without_any_file_there_is_no_configuration() {
    let folder = Folder::with(&[("empty/readme.txt", "")]);
    assert_snapshot!(folder.read("empty"), @r"no *.yaml files below empty");
    assert_snapshot!(folder.read("nowhere.yaml"), @r"there is no configuration at nowhere.yaml");
}

#[test]
fn include_names_files_folders_and_globs() {
    let folder = Folder::with(&[
        ("vigia.yaml", "include: [one.yaml, all, 'site-*/?.yaml', 'deep/**/x.yaml', one.yaml]\n"),
        ("one.yaml", ""),
        ("all/a.yaml", ""),
        ("all/b/c.yaml", ""),
        ("site-1/a.yaml", ""),
        ("site-1/ab.yaml", ""),
        ("site-2/b.yaml", ""),
        ("deep/1/2/x.yaml", ""),
        ("deep/x.yaml", ""),
        ("conf.d/not.yaml", ""),
    ]);
    assert_snapshot!(folder.read("vigia.yaml"), @r"
    vigia.yaml
    all/a.yaml
    all/b/c.yaml
    deep/1/2/x.yaml
    deep/x.yaml
    one.yaml
    site-1/a.yaml
    site-2/b.yaml
    ");
}

#[test]
fn an_include_of_nothing_is_an_error() {
    let folder = Folder::with(&[
        ("vigia.yaml", "include:\n  - nowhere\n  - '*/x*.yaml'\n  - plain.conf\n"),
        ("plain.conf", ""),
    ]);
    assert_snapshot!(folder.read("vigia.yaml"), @r"
    vigia.yaml
    vigia.yaml:2:5: there is no `nowhere`
        2 |   - nowhere
          |     ^^^^^^^
    vigia.yaml:3:5: nothing matches `*/x*.yaml`
        3 |   - '*/x*.yaml'
          |     ^^^^^^^^^^^
    vigia.yaml:4:5: `plain.conf` is not loaded: only visible names that end in `.yaml` or `.yml` are
        4 |   - plain.conf
          |     ^^^^^^^^^^
    ");
}

#[test]
fn left_overs_never_load_and_a_package_managers_is_named() {
    let folder = Folder::with(&[("vigia.yaml", ""), ("conf.d/web.yaml", "")]);
    let left = [
        "web.yaml~",
        "web.yaml.orig",
        ".web.yaml.swp",
        "4913",
        ".#web.yaml",
        "web.yaml.dpkg-old",
        "x.rpmnew",
    ];
    for name in left {
        folder.write(&format!("conf.d/{name}"), b"{{{");
    }
    folder.write("vigia.yaml.rpmnew", b"");
    folder.write("conf.d/.hidden/a.yaml", b"{{{");
    assert_snapshot!(folder.read("vigia.yaml"), @r"
    vigia.yaml
    conf.d/web.yaml
    vigia.yaml: warning: `vigia.yaml.rpmnew` lies beside it, left by the package manager; it is not loaded
       hint: take over what is new in it, then remove it
    conf.d/web.yaml: warning: `web.yaml.dpkg-old` lies beside it, left by the package manager; it is not loaded
       hint: take over what is new in it, then remove it
    ");
}

#[test]
fn links_are_followed_once() {
    let folder = Folder::with(&[("vigia.yaml", ""), ("real/web.yaml", ""), ("conf.d/..v1/db.yaml", "")]);
    symlink("../real", folder.path("conf.d/linked")).unwrap();
    symlink("..", folder.path("real/round")).unwrap();
    symlink("../conf.d", folder.path("real/circle")).unwrap();
    symlink("..v1", folder.path("conf.d/..data")).unwrap();
    symlink("..data/db.yaml", folder.path("conf.d/db.yaml")).unwrap();
    symlink("../gone.yaml", folder.path("conf.d/lost.yaml")).unwrap();
    assert_snapshot!(folder.read("vigia.yaml"), @r"
    vigia.yaml
    conf.d/db.yaml
    conf.d/linked/web.yaml
    conf.d/lost.yaml (unreadable)
    conf.d/lost.yaml: cannot be read: No such file or directory (os error 2)
       hint: a link that leads nowhere, or a file that went away while we looked
    ");
}

#[test]
fn a_file_that_is_no_text_is_named_with_the_place() {
    let folder = Folder::with(&[("vigia.yaml", "hosts: {a: 192.0.2.1}\n")]);
    folder.write("conf.d/latin.yaml", b"hosts:\n  caf\xe9: 192.0.2.1\n");
    folder.write("conf.d/utf16.yaml", b"\xff\xfeh\0o\0");
    folder.write("conf.d/binary.yaml", b"a: \0\0\0");
    folder.write("conf.d/empty.yaml", b"");
    assert_snapshot!(folder.read("vigia.yaml"), @r"
    vigia.yaml
    conf.d/binary.yaml (unreadable)
    conf.d/empty.yaml
    conf.d/latin.yaml (unreadable)
    conf.d/utf16.yaml (unreadable)
    conf.d/binary.yaml:1:4: a NUL byte: this is not a text file
        1 | a:    
          |    ^
       hint: delete it, or write it as an escape inside double quotes
    conf.d/latin.yaml:2:6: this is not UTF-8 text
       hint: save it as UTF-8; `iconv -f ISO-8859-1 -t UTF-8` turns old Western text into it
    conf.d/utf16.yaml:1:1: this is not UTF-8 text
       hint: it looks like UTF-16: `iconv -f UTF-16 -t UTF-8` turns it into UTF-8
    ");
}

#[test]
fn whoever_watches_learns_of_folders_that_may_appear() {
    let folder =
        Folder::with(&[("vigia.yaml", "include: [later, 'x/*.yaml', one.yaml]\n"), ("one.yaml", "")]);
    let request = Request::new(&folder.path("vigia.yaml"), Some(&folder.path("state")));
    let found = find(&request);
    let names = |paths: &[PathBuf]| -> Vec<String> {
        paths.iter().map(|path| path.strip_prefix(folder.0.path()).unwrap().display().to_string()).collect()
    };
    assert_eq!(names(&found.files), ["vigia.yaml", "one.yaml"]);
    assert_eq!(names(&found.folders), ["", "state"]);
}

#[test]
fn the_hash_of_a_file_is_that_of_its_content() {
    assert_eq!(hash(b"a"), hash(b"a"));
    assert_ne!(hash(b"a"), hash(b"b"));
}

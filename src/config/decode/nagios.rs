//! What a key that somebody knows from Nagios is called here.

use crate::config::keys::Key;

/// Names that no rule leads to ours.
const NAMES: &[(&str, &str)] = &[
    (
        "check_command",
        "the kind of check is a key itself: `http: {path: /}`, `plugin: [check_disk, -w, 15%]`, \
      or `command: \"check_foo!20%\"` for a Nagios command line",
    ),
    ("host_name", "hosts are keyed by their names: `hosts: {web1: {address: …}}`"),
    ("service_description", "services are keyed by their names, inside their host: `services: {HTTP: …}`"),
    ("hostgroup_name", "the name is the key: `hostgroups: {linux: {…}}`"),
    ("servicegroup_name", "the name is the key: `servicegroups: {databases: {…}}`"),
    ("contact_name", "the name is the key: `contacts: {ana: {…}}`"),
    ("contactgroup_name", "the name is the key: `contactgroups: {ops: {…}}`"),
    ("timeperiod_name", "the name is the key: `timeperiods: {office: {…}}`"),
    ("command_name", "the name is the key: `commands: {check_foo: {…}}`"),
    ("name", "the name is the key of the map around it"),
    ("register", "what other objects use stands under `templates:` and is no object itself"),
    ("notifications_enabled", "`notification_options: none` sends nothing; `contacts: []` tells nobody"),
    ("host_notifications_enabled", "`options: none` of a contact sends it nothing"),
    ("service_notifications_enabled", "`options: none` of a contact sends it nothing"),
    ("host_notification_options", "`options` says what a contact wants to hear, of hosts and services"),
    ("service_notification_options", "`options` says what a contact wants to hear, of hosts and services"),
    ("host_notification_period", "`notification_period` of a contact holds for hosts and services"),
    ("service_notification_period", "`notification_period` of a contact holds for hosts and services"),
    (
        "host_notification_commands",
        "a contact has `email`, `webhook`, `run`, or `command: {host: NAME, service: NAME}`",
    ),
    (
        "service_notification_commands",
        "a contact has `email`, `webhook`, `run`, or `command: {host: NAME, service: NAME}`",
    ),
    ("normal_check_interval", "it is called `check_interval`"),
    ("retry_check_interval", "it is called `retry_interval`"),
    ("max_attempts", "it is called `max_check_attempts`"),
    ("event_handler_enabled", "an `event_handler` runs where one is named; `event_handler: null` cancels it"),
    ("dependent_host_name", "the dependent object says `depends_on: [HOST/SERVICE]` itself"),
    ("dependent_service_description", "the dependent object says `depends_on: [HOST/SERVICE]` itself"),
    ("execution_failure_criteria", "`depends_on: {on: …, execution_failure: […]}` says it"),
    ("notification_failure_criteria", "`depends_on: {on: …, notification_failure: […]}` says it"),
    ("execution_failure_options", "`depends_on: {on: …, execution_failure: […]}` says it"),
    ("notification_failure_options", "`depends_on: {on: …, notification_failure: […]}` says it"),
    ("hostgroup_members", "`members` takes selectors: `members: [\"group:linux\"]`"),
    ("servicegroup_members", "`members` takes selectors: `members: [\"servicegroup:databases\"]`"),
    ("contactgroup_members", "`members` takes contacts and groups alike"),
    ("escalation_period", "it is called `period`"),
    ("escalation_options", "it is called `options`"),
    ("pager", "a contact has `email`, `webhook`, `run` and `command`"),
    ("obsess", "there is no obsessing here; a `rule` with `run` does the same"),
    ("obsess_over_host", "there is no obsessing here; a `rule` with `run` does the same"),
    ("obsess_over_service", "there is no obsessing here; a `rule` with `run` does the same"),
    ("retain_status_information", "state is always kept"),
    ("retain_nonstatus_information", "state is always kept"),
    ("failure_prediction_enabled", "leave it away: Nagios did nothing with it either"),
    ("parallelize_check", "leave it away: checks always run beside each other"),
    ("vrml_image", "there is `icon_image`"),
    ("statusmap_image", "there is `icon_image`"),
    ("2d_coords", "`location: {latitude: …, longitude: …}` says where a host is"),
    ("check_timeout", "it is called `timeout`"),
    ("cfg_file", "`include` names files, folders and globs"),
    ("cfg_dir", "`include` names files, folders and globs"),
];

/// Whole words that lost their underscore, and endings that are left out.
pub(super) fn hint(written: &str, keys: &[Key]) -> Option<String> {
    if let Some((_, hint)) = NAMES.iter().find(|(name, _)| *name == written) {
        return Some((*hint).to_owned());
    }
    if let Some(variable) = written.strip_prefix('_').filter(|variable| !variable.is_empty()) {
        let can = keys.iter().any(|key| key.name == "custom_variables");
        return can.then(|| format!("custom variables: `custom_variables: {{{variable}: …}}`"));
    }
    let plain = |name: &str| {
        let name = name.strip_suffix("_enabled").unwrap_or(name);
        name.strip_prefix("is_").unwrap_or(name).replace('_', "")
    };
    let sought = plain(written);
    let found = keys.iter().find(|key| plain(key.name) == sought)?;
    Some(format!("it is called `{}` here", found.name))
}

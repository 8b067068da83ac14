//! Templates and host groups that no host uses yet: what is wrong in them is told before somebody does.

use std::sync::Arc;

use hashbrown::HashSet;

use super::chain::Settled;
use super::host::Maker;
use super::policy::policy;
use super::subject::Subject;
use crate::config::decode::Decoder;
use crate::config::merge::{Merged, Via, View};
use crate::config::written::{Section, Written, WrittenBody};

pub(super) struct Unused<'w, 't> {
    written: &'w Written<'t>,
    templates: HashSet<&'t str>,
    groups: HashSet<&'t str>,
}

impl<'w, 't> Unused<'w, 't> {
    pub(super) fn of(written: &'w Written<'t>) -> Self {
        Self { written, templates: HashSet::new(), groups: HashSet::new() }
    }

    /// Somebody uses these.
    pub(super) fn strike(&mut self, settled: &Settled<'t>) {
        self.templates.extend(&settled.templates);
        self.groups.extend(&settled.groups);
    }

    fn bodies(&self) -> impl Iterator<Item = (Via<'w>, &'w WrittenBody<'t>)> {
        let written = self.written;
        let templates = written.templates.iter().filter(|one| !self.templates.contains(one.name.text));
        let groups = written.hostgroups.iter().filter(|one| !self.groups.contains(one.name.text));
        let templates = templates.map(|one| (Via::Template(one.name.text), one));
        let groups = groups.map(|one| (Via::Group(one.name.text), one));
        templates.chain(groups).filter(|(_, one)| !one.has_error)
    }

    /// References and options of checks, as far as they can be known without a host.
    pub(super) fn check(self, maker: &mut Maker<'_, '_, 't>, decoder: &mut Decoder) {
        for (via, one) in self.bodies() {
            let section = if matches!(via, Via::Group(_)) { Section::HostGroups } else { Section::Templates };
            let label: Arc<str> = format!("{} {}", section.word(), one.name.text).into();
            decoder.reading(&*label);
            let mut merged = Merged::nothing();
            merged.apply(&one.body, via, &mut Decoder::default());
            policy(View::of_host(&merged), maker.world, None, decoder);
            let subject = Subject {
                host: &label,
                address: &label,
                alias: &label,
                index: None,
                tags: &[],
                service: None,
                host_variables: &[],
                service_variables: &[],
            };
            for (check, via) in &merged.check.check {
                maker.checks.look_at(*check, *via, &subject, decoder);
            }
            for (name, service) in merged.services.values().filter(|(_, service)| !service.is_off) {
                let view = View { near: &service.slots, far: &merged.shared, alone: None };
                policy(view, maker.world, None, decoder);
                let subject = Subject { service: Some(name.text), ..subject };
                for (check, via) in &service.check {
                    maker.checks.look_at(*check, *via, &subject, decoder);
                }
            }
        }
        decoder.reading_no_object();
    }
}

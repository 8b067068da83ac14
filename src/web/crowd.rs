//! How many connections one client holds: nobody may take the places of all others, whether by a mistake or on purpose.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

/// Of one address, or one network of IPv6: a quarter of all places. An office behind one address has room, a script that
/// forgets to close does not.
pub(super) const FROM_ONE: usize = 512;

/// Who is there.
#[derive(Clone, Default)]
pub(super) struct Crowd(Arc<Mutex<HashMap<IpAddr, Held>>>);

#[derive(Clone, Copy, Debug, Default)]
struct Held {
    count: usize,
    /// Somebody was sent away since the client came; said once.
    is_told: bool,
}

/// A place; free again when dropped.
pub(super) struct Place(Option<(Crowd, IpAddr)>);

impl Crowd {
    /// None: this client holds as many as it may.
    pub(super) fn enter(&self, who: IpAddr) -> Option<Place> {
        if is_of_all(who) {
            return Some(Place(None));
        }
        let who = network(who);
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let one = held.entry(who).or_default();
        if one.count >= FROM_ONE {
            if !std::mem::replace(&mut one.is_told, true) {
                tracing::warn!(
                    event = "web.crowd",
                    client = %who,
                    "holds {FROM_ONE} connections; more of it are closed until some of these end"
                );
            }
            return None;
        }
        one.count += 1;
        Some(Place(Some((self.clone(), who))))
    }
}

/// A proxy on this machine comes for everybody.
fn is_of_all(who: IpAddr) -> bool {
    who == Ipv4Addr::LOCALHOST || who == Ipv6Addr::LOCALHOST
}

/// Of IPv6 one customer gets a network, and with it as many addresses as there are sands.
fn network(who: IpAddr) -> IpAddr {
    match who.to_canonical() {
        IpAddr::V4(who) => who.into(),
        IpAddr::V6(who) => Ipv6Addr::from_bits(who.to_bits() >> 64 << 64).into(),
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some((crowd, who)) = self.0.take() else { return };
        let mut held = crowd.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(one) = held.get_mut(&who) {
            one.count -= 1;
            if one.count == 0 {
                held.remove(&who);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_has_so_many_places_and_gets_them_back() {
        let crowd = Crowd::default();
        let who = "192.0.2.7".parse().unwrap();
        let mut places: Vec<Place> = (0..FROM_ONE).map(|_| crowd.enter(who).unwrap()).collect();
        assert!(crowd.enter(who).is_none());
        assert!(crowd.enter("::ffff:192.0.2.7".parse().unwrap()).is_none(), "the same, written otherwise");
        assert!(crowd.enter("192.0.2.8".parse().unwrap()).is_some(), "others are not concerned");
        drop(places.pop());
        assert!(crowd.enter(who).is_some());
        drop(places);
        assert!(crowd.0.lock().unwrap().is_empty(), "and nothing is kept of who is gone");
    }

    #[test]
    fn addresses_of_one_network_are_one_client_and_a_proxy_here_is_all_of_them() {
        let crowd = Crowd::default();
        let from = |n: usize| crowd.enter(format!("2001:db8::{n:x}").parse().unwrap());
        let places: Vec<Option<Place>> = (1..=FROM_ONE + 1).map(from).collect();
        assert_eq!(places.iter().flatten().count(), FROM_ONE);
        let here: Vec<Option<Place>> =
            (0..2 * FROM_ONE).map(|_| crowd.enter(Ipv4Addr::LOCALHOST.into())).collect();
        assert!(here.iter().all(Option::is_some));
    }
}

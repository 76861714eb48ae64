//! The cluster's own certificate authority: makes itself, and signs members' certificates.
//!
//! Must never learn: where its files are.

use std::net::IpAddr;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, Error, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType,
};

use super::identity::{ClusterId, MemberId};

/// How long an authority is good for, in days: ten years.
pub const AUTHORITY_DAYS: u64 = 3_650;

/// An authority with its key. ECDSA on P-256.
pub struct Authority {
    cluster: ClusterId,
    issuer: Issuer<'static, KeyPair>,
}

/// A certificate and its key, as PEM.
pub struct Issued {
    /// The certificate, for everybody.
    pub certificate: String,
    /// The key, for its owner alone.
    pub key: String,
}

/// What a member's certificate says.
#[derive(Debug, Clone)]
pub struct Request {
    /// The member.
    pub member: MemberId,
    /// What people call it.
    pub name: String,
    /// Host names under which it is reached.
    pub hosts: Vec<String>,
    /// Addresses under which it is reached.
    pub addresses: Vec<IpAddr>,
    /// When it is made.
    pub from: SystemTime,
    /// When it expires.
    pub until: SystemTime,
}

/// Clocks of members may differ so much when a certificate is new.
const SKEW: Duration = Duration::from_secs(300);

impl Authority {
    /// A new authority for that cluster.
    pub fn make(cluster: ClusterId, from: SystemTime) -> Result<(Authority, Issued), Error> {
        let key = KeyPair::generate()?;
        let mut params = Authority::params(cluster);
        params.not_before = (from - SKEW).into();
        params.not_after = (from + Duration::from_secs(AUTHORITY_DAYS * 86_400)).into();
        let certificate = params.self_signed(&key)?.pem();
        let issued = Issued { certificate, key: key.serialize_pem() };
        Ok((Authority { cluster, issuer: Issuer::new(params, key) }, issued))
    }

    /// The authority of that cluster with the key that [`make`](Authority::make) gave.
    pub fn open(cluster: ClusterId, key: &str) -> Result<Authority, Error> {
        let key = KeyPair::from_pem(key)?;
        Ok(Authority { cluster, issuer: Issuer::new(Authority::params(cluster), key) })
    }

    /// A certificate with a key of its own.
    pub fn issue(&self, request: &Request) -> Result<Issued, Error> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, request.name.as_str());
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        params.not_before = (request.from - SKEW).into();
        params.not_after = request.until.into();
        params.subject_alt_names = vec![SanType::DnsName(request.member.name(self.cluster).try_into()?)];
        for host in &request.hosts {
            params.subject_alt_names.push(SanType::DnsName(host.as_str().try_into()?));
        }
        params.subject_alt_names.extend(request.addresses.iter().map(|address| SanType::IpAddress(*address)));
        let certificate = params.signed_by(&key, &self.issuer)?.pem();
        Ok(Issued { certificate, key: key.serialize_pem() })
    }

    /// What both making and opening must agree on: the name that certificates give as their issuer's.
    fn params(cluster: ClusterId) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, format!("Gomer cluster {cluster}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params
    }
}

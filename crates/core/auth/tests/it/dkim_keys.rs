//! Keys and signatures that `ring` would not make: made once, elsewhere.
//!
//! Each signature is over From and Subject of [`crate::dkim_vectors`] with `s=` the size
//! of the key; see `rsa_of_size` there.

/// Public key of 512 bits.
pub(crate) const RSA_512_KEY: &str = "\
    MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBAJ3LiXgLYW3zHIyHRWVG1nKNgXl1sCvzafNA6sykGlQ+uWLsbzQJGELZ7kFw\
    AUp186fEBo54+i5mG3oys8Xr0IsCAwEAAQ==";
/// Signature by the key of 512 bits.
pub(crate) const RSA_512_SIGNATURE: &str = "\
    PMRm2h69sKklSCDEbjpVswxAuAfspiXA2Y+REHik2II0EWR55kI1Kai6eHtuOBRjOhIuggP520s7p43UnMdndw==";
/// Public key of 1023 bits.
pub(crate) const RSA_1023_KEY: &str = "\
    MIGeMA0GCSqGSIb3DQEBAQUAA4GMADCBiAKBgHaV3Cp79iC9zipET27H2P/tPrWSKR7fdYzr6nO7CczEIRKengd7sRah\
    eqdQ6zMQU1I++Pou7+EqwYIqGAXxhNz9hNj8aXKx+xjNPObP78hjWNbCgivFVzAdL936FdOxQyKYEcsyS1ab1Ixa9rWS\
    VXdwZbWePQAbCJmTM57lF84HAgMBAAE=";
/// Signature by the key of 1023 bits.
pub(crate) const RSA_1023_SIGNATURE: &str = "\
    CjGxmdUWcynFl4lS3ZLI/hs6+bxOB1T29+Ughe3rjdMJZ4O1+856M7mCxWEAznPW2RJOxjG/0cobxcT+igBudoAlFhl/\
    PjiWhK+rbMgjzS3p8jChZDJbxAnSfmJr77N2YPvNb0f0BIS+zw1Lnis1qOBXga7qwTSnRVgFp9kOm6M=";
/// Public key of 4096 bits.
pub(crate) const RSA_4096_KEY: &str = "\
    MIICIjANBgkqhkiG9w0BAQEFAAOCAg8AMIICCgKCAgEAqJzSgUevY+1LMAHzxedoBtjusr3kRcG3tkNXwKuUt6BUdIWA\
    +Tkj5ZBm2+MSg3a3v4vMaMCktvkgp3vp8DyU9f+6EZK7pwScj6ITOG79WLBaYaRhLg8cw7mornMf1EUjRzOBr7B36YXH\
    14598h5vPQu58D9pK6xlTsjrDcaG1LOZzFYSusgfLImfo2sC9W4VpUQtHkmCMzMvJhDqq4bfkg2ra2Z4UJQ+eIZDv2KK\
    aUeMUYLeLGoF1ruWxOamf+Y4cw8JdBVZjOXEBDlG6tyjXF2zMD0H9fwx1vMi1J+y7qG+KgneQqOHHPxm50/ulWzpMuQB\
    gEWC6lHtO0kKiGqWN1EcbysnxldMoc6a97SVoNzoa6QuRU+Y6MCyeYyH9NE6l+TLrowh1rTX6uxZc3XL1wzlRc6A5Z4D\
    +XewkoOA5tYUNcjOChVCWBuo3XVl2qmtOuRmSEXPJZ/XjCYLaXEj6x08VKQuuPKNuqHuZq9k6fT17dl0bOlhlgAFAR4o\
    KppR15ws/1+JvCGKhl7P/kXK2OSchMreo51g1sovVJOMkx1rCKTBC5PKmfXaaTGoxAEHUmnrMnI9TtkYaYVzDN/B/nqo\
    x05kv8smF6jvt4tvOwvRO8poAgmhrsuEsksK38B3eWZJHBxKWBoiIQsj707MvPsY9UswXpovj8XzZX4WyRUCAwEAAQ==";
/// Signature by the key of 4096 bits.
pub(crate) const RSA_4096_SIGNATURE: &str = "\
    Ta5jq6lcM+hoyPuhHqinBEm8fPZyJyQ8mNzCzhnroQL2ykbX3RzAnY+e7utYYW8AnnYq8Stp2AjJDXesvcHRUHsI07bv\
    9WRj313y04Iq6Y7XDwYlxgUOkCw/h48ykYNLdNowuMt5aBnwmNzTahyHfiuj0Iq/yuxiqafekX/xjx8ccTc/ofCvgBFZ\
    VMfqE+3bEOqYn9vz5vDUbiEm1TdQsAVvKoCC2UfTExDObFzHrgRtDvbOmfbZLTZM0qqMBSsVk0iOt1psNUKqygpagEnE\
    N+x9Tzg6PLqHa27OicaKxcH+TJXXINVzM0r0rFBHvdbVvcXdzC+vzG9aJA3jilBYLErFzLwvkK2kqwfEooPM7aeAdtug\
    Xfaqy75yNKL1aYaZryD37hFiamXMoF6ISE3YePqKrXuBAVueRm+GeznkkMF3CqTuI2TzeRSwAt/+Ftxf5TbgvHh3eEDU\
    Cy0mS7T0bmGkS5pW3q717/glZQInCL6Dcer57GvOf1VNGxKF21ExQTm5KJAKbcXpJ74WZN9HnC+dBGIbB9DAp1sU63M8\
    KIqnnMKuYxL7woT4UbjLAigypJmQHa3cKYq+mjra/hhQUp3DdzuSGS8RcrksNqhVqwdjK/R/X9A6sJr7xMrr1XPslFzR\
    bfR0P47E81RJuMT/W9B9xmEUfyfjMhBGHBpEWgs=";
/// Private key of 2,048 bits, for tests only.
pub(crate) const RSA_2048_PKCS8: &str = "\
    MIIEvwIBADANBgkqhkiG9w0BAQEFAASCBKkwggSlAgEAAoIBAQCWO6h36aRdAzp8Tmunceff0Om3WjimfC7XLqTGoL+6\
    5HPf6QKHcA6rwcf9HMdqLVzIpw+c1TfwTERKuYZJNVkzMaD42KxsTGlr9EegDAKyc0GoV46HwGfnblnbUm8zB1jJJtaN\
    lL7mUjIBnuifHNkG7s8FNrNgtB+EvHYPoGFwSL72gIz+PxfNJOMIV2LmDiEi5xZ8S5de/Z1A1y8Hx9eZM+a5LfmeZnyX\
    jqdRoAF8BE9KM2K3yM/P+5DbCKVSLpHQp0wtdjvB1g8+BiM3UrowKHlf8ZSufaMTXatfmwyNB8N3Rs75tQM6yOk2fTO/\
    3+X2Ckwmz2jCcYJYn68DPCHLAgMBAAECggEABFxe4kFsN4tsytZk/EeS4699LZK+hMPelPlKrO8HXghSdEkVzA30JdX0\
    RoQc6yFvRGRAbgkd8CR0wLdMdnhl2UIm4Z1iCIPQYZQtU+st8o4L1/kmqhzNn+1XSbIUYKG0FAdNsb21K8xuTlJuHJMH\
    wY1+MqcfQNdRC6r53xwEzPltbl7aw4LDTtxpzP9+2D9VByp1FYS/brwdNuilcJhRzfSIp8ukWAwO8x7MPlIFcwIJZN3W\
    Adaj76iTbC1JxSVnqkRXub0EPDF/Geaf+90zIWAW7CXZ/Jh4gg7nUlfGYLwheDm9vq40utnwRXGcSZnqmkcNt4DpIIRB\
    JeVNFePvMQKBgQDPfAVArH5K0FJJB4/ZoVI31bexGY2JYHiHOZTz8KHxdsy7S8uUo07GuHoUqKuHqEPX/2xLUP1MgARL\
    DpItszGpogxw+F0i/Gnfou/Y9H9fH+Vx12WSDCtFuUh/Eah+bF4xg3//9PJQTPEI0qAR2m6Yel1a5nh//rzgg4o318LT\
    cQKBgQC5XJQvnJ9iYW5YaWozmNu54uWgxqm9tv1BDoyojpylLWsMBITaBtWIfJfUJM1Q1gqaC4jmiLpz6mJWrd28l5ll\
    iuS56oi0vHk5vlRmTL+wPeicD/Hwl9tZTO67qq33hrJkqaV4XZltycwMgkWgX+KC4wE7IMvr69AxGqH3Cbby+wKBgQCW\
    kVKif0ra8dh05MbwUNCAclhubbO3mMl+oDvG1r4+o06pMLTY9bXqId999HUd6e7p5ZLqCSj4BgKXkUhlX5/PkShkJug3\
    xmLyhqR1leCE4Hm6JmywEqKoY3AHvoG+1Nd6KQqPbWsW+O8FzwuYSSJvBoWOvKd/gxX/+5UnNy1MEQKBgQCeAjcn5wFO\
    4fMoVqP7W+BiMvK//NmRKT31iSuKPBd4DqFj2y5MlOrNsDfU1ZJXyD29VvvaWM9oJHKzpP6R10Eh+CZF/ZGPT+KewIo9\
    skrtN7jj4AvDpg+LrjMLstEdYasMeDjfxBoYJp9UQnCL53C1VkEkYC60643LbgKHDbbwpQKBgQCuYoFLzo2/Zn4EK6Db\
    3cwC62zLteg7H97s1iSzQ9yHSmKCLYTzEPlUY4RPZuiWBwSEqE6hB+TNQvXvhcfM2CcGK9ccRcgRcrCICNO3x4HSfpf7\
    UwwHEliQ8L+5iR8vgp0mqL5YP9s9hddFcXuguknvahi35CY9SHZa2Vyl0Uj1lg==";

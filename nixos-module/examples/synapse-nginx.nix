# Synapse, PostgreSQL and nginx on one machine. Links to files and long texts have a host of their own.
{
  services.matrix-synapse = {
    enable = true;
    settings.server_name = "example.org";
    settings.public_baseurl = "https://matrix.example.org";
  };

  services.nginx.virtualHosts."matrix.example.org" = {
    forceSSL = true;
    enableACME = true;
    locations."/_matrix".proxyPass = "http://127.0.0.1:8008";
  };

  services.towline = {
    enable = true;
    database.createLocally = true;
    identd.enable = true;
    openFirewall = true;
    mediaBaseUrl = "https://irc.example.org";
    mediaProxy = "nginx";
    settings = {
      homeserver.domain = "example.org";
      permissions = {
        "example.org" = "user";
        "@admin:example.org" = "admin";
      };
    };
  };
}

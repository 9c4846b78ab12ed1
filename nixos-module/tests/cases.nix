# The configurations that tests/run looks at, by name. What `wrong-` begins must be refused, with the words that
# tests/run expects.
let
  with' = more: {
    imports = [
      {
        services.towline = {
          enable = true;
          settings = {
            homeserver.domain = "example.org";
            permissions."@alice:example.org" = "admin";
          };
        };
      }
      more
    ];
  };
  towline = more: with' { services.towline = more; };
in
{
  off = { };
  least = towline { };

  synapse-nginx = with' {
    services.matrix-synapse.enable = true;
    services.matrix-synapse.settings.app_service_config_files = [ "/var/lib/other.yaml" ];
    services.towline = {
      database.createLocally = true;
      identd.enable = true;
      openFirewall = true;
      doublePuppet.enable = true;
      mediaBaseUrl = "https://irc.example.org/irc/";
      mediaProxy = "nginx";
      environmentFile = "/run/secrets/towline.env";
      credentials.libera-password = "/run/agenix/libera-password";
      settings = {
        networks.libera.password_file = "libera-password";
        networks.home.name = "Home";
        networks.home.servers = [
          {
            host = "irc.home.arpa";
            port = 6697;
          }
        ];
        settings.presence = "show";
        log.format = "json";
      };
    };
  };

  tuwunel-caddy = with' {
    services.matrix-tuwunel.enable = true;
    services.towline = {
      mediaBaseUrl = "https://irc.example.org";
      mediaProxy = "caddy";
      credentials."towline.key" = "/run/secrets/towline.key";
      credentials.database = "/run/secrets/database";
      settings = {
        homeserver.url = "http://127.0.0.1:6167";
        secret_key_file = "towline.key";
        database.url = null;
        database.url_file = "database";
        media.listen = "127.0.0.1:9020";
      };
    };
  };

  # As `least`, with what Towline takes from the file while it runs, and as that with something that it does not.
  reloaded = towline {
    settings = {
      networks.home.servers = [ { host = "irc.home.arpa"; } ];
      limits.lines = 3;
      log.level = "debug";
      presets = false;
      own_networks.most = 1;
      plumb.by = "users";
      settings.presence = "hide";
      permissions."*" = "user";
    };
  };
  restarted = towline { settings.limits.inbox_body = "8MiB"; };

  conduit = with' {
    services.matrix-conduit.enable = true;
    services.towline.settings.appservice.listen = "127.0.0.1:9500";
  };

  no-register = with' {
    services.matrix-synapse.enable = true;
    services.towline.registerToSynapse = false;
    services.towline.serviceDependencies = [ ];
  };

  # What the documentation shows, with what the modules that it stands on would add.
  example-synapse-nginx = import ../examples/synapse-nginx.nix;
  example-tuwunel-caddy = import ../examples/tuwunel-caddy.nix;
  example-agenix = {
    imports = [ ../examples/agenix.nix ];
    age.secrets.libera-password.path = "/run/agenix/libera-password";
    age.secrets.towline-key.path = "/run/agenix/towline-key";
  };
  example-sops-nix = {
    imports = [ ../examples/sops-nix.nix ];
    sops.secrets."towline.env".path = "/run/secrets/towline.env";
  };

  # For packaging/vm.
  vm = with' {
    services.towline = {
      database.createLocally = true;
      identd.enable = true;
      doublePuppet.enable = true;
      credentials.libera-password = "/etc/libera-password";
      settings.networks = {
        libera.password_file = "libera-password";
        test.name = "Test";
        test.allow_private = true;
        test.servers = [
          {
            host = "127.0.0.1";
            port = 6667;
            tls = false;
          }
        ];
      };
    };
  };

  postgresql-target = with' {
    systemd.targets.postgresql = { };
    services.towline.database.createLocally = true;
  };

  wrong-option = towline { registerToSynaps = true; };
  wrong-type = towline { identd.enable = "yes"; };
  wrong-permission = towline { settings.permissions."*" = "root"; };
  wrong-without-domain.services.towline = {
    enable = true;
    settings.permissions."*" = "user";
  };
  wrong-secret-path = towline { credentials.secret = ./cases.nix; };
  wrong-secret-store = towline { environmentFile = "${builtins.storeDir}/secret.env"; };
  wrong-secret-relative = towline { environmentFile = "secret.env"; };
  wrong-password = towline { settings.networks.libera.password = "SENTINEL"; };
  wrong-proxy-password = towline {
    settings.networks.libera.proxy = {
      address = "127.0.0.1:9050";
      user = "tor";
      password = "SENTINEL";
    };
  };
  wrong-token = towline { settings.appservice.as_token = "SENTINEL"; };
  wrong-database-password = towline {
    settings.database.url = "postgres://towline:SENTINEL@db/towline";
  };
  wrong-database-parameter = towline {
    settings.database.url = "postgres://towline@db/towline?sslmode=require&password=SENTINEL";
  };
  wrong-two-idents = towline {
    identd.enable = true;
    settings.ident.listen = "0.0.0.0:113";
  };
  wrong-firewall = towline { openFirewall = true; };
  wrong-proxy = towline { mediaProxy = "nginx"; };
  wrong-proxy-url = towline {
    mediaProxy = "caddy";
    mediaBaseUrl = "http://irc.example.org";
  };
  wrong-registration-file = towline { registrationFile = "/etc/registration.yaml"; };

  # What only Towline itself knows to be wrong.
  unfit-key = towline { settings.limits.sessions_per_usr = 3; };
  unfit-value = towline { settings.homeserver.url = "localhost"; };
  unfit-setting = towline { settings.settings.presense = "show"; };
  unfit-network = towline { settings.networks.home.name = "Home"; };
}

# What can be said under services.towline.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  format = pkgs.formats.yaml { };

  # A file on the machine, by its name. A path literal would be copied into the store, where everybody can read it.
  runtimeFile =
    types.addCheck types.str (
      name: lib.hasPrefix "/" name && !(lib.hasPrefix "${builtins.storeDir}/" name)
    )
    // {
      description = "the absolute name of a file outside the store, as text";
    };

  homeserver = mkOption {
    description = "Where the homeserver is.";
    default = { };
    type = types.submodule {
      freeformType = format.type;
      options = {
        url = mkOption {
          type = types.str;
          default = "http://127.0.0.1:8008";
          description = "Where Towline reaches the homeserver.";
        };
        domain = mkOption {
          type = types.str;
          example = "example.org";
          description = "What follows the colon in its users' ids.";
        };
      };
    };
  };

  appservice = mkOption {
    description = "Towline's side of the application service API.";
    default = { };
    type = types.submodule {
      freeformType = format.type;
      options = {
        id = mkOption {
          type = types.str;
          default = "towline";
          description = "The registration's id, which should never change.";
        };
        bot = mkOption {
          type = types.str;
          default = "towline";
          description = "The localpart of the bot, which should never change.";
        };
        listen = mkOption {
          type = types.str;
          default = "127.0.0.1:9009";
          description = "Where Towline waits for the homeserver.";
        };
        url = mkOption {
          type = types.nullOr types.str;
          default = null;
          description = "What the homeserver calls, where that is not `http://` and `listen`.";
        };
      };
    };
  };
in
{
  options.services.towline = {
    enable = lib.mkEnableOption "Towline, an IRC bouncer for Matrix";

    package = mkOption {
      type = types.package;
      default = pkgs.towline or (pkgs.callPackage ./package.nix { });
      defaultText = lib.literalExpression "pkgs.towline";
      description = "The package to use.";
    };

    settings = mkOption {
      description = ''
        The configuration, as docs/configuration.md describes it. It is checked when the system is built. Secrets don't
        belong here, since everybody can read the store: use `credentials` or `environmentFile`.
      '';
      example = lib.literalExpression ''
        {
          homeserver.domain = "example.org";
          permissions = {
            "example.org" = "user";
            "@admin:example.org" = "admin";
          };
        }
      '';
      type = types.submodule {
        freeformType = format.type;
        options = {
          inherit homeserver appservice;
          permissions = mkOption {
            type = types.attrsOf (
              types.enum [
                "none"
                "user"
                "admin"
              ]
            );
            description = "Who may use Towline: full ids, names of servers, or `*`.";
          };
          database = mkOption {
            description = "The database.";
            default = { };
            type = types.submodule {
              freeformType = format.type;
              options.url = mkOption {
                type = types.nullOr types.str;
                default = "sqlite:///var/lib/towline/towline.db";
                description = ''
                  A file or a PostgreSQL server, without a password. `null` where it comes from `url_file` or from
                  TOWLINE_DATABASE_URL.
                '';
              };
            };
          };
          secret_key_file = mkOption {
            type = types.str;
            default = "/var/lib/towline/towline.key";
            description = ''
              The key that seals passwords in the database. Where it is left as it is, it is made at the first start:
              keep a copy of it. A name among `credentials` will do, too.
            '';
          };
        };
      };
    };

    environmentFile = mkOption {
      type = types.nullOr runtimeFile;
      default = null;
      example = "/run/secrets/towline.env";
      description = "A file with secrets as variables, such as TOWLINE_DATABASE_URL.";
    };

    credentials = mkOption {
      type = types.attrsOf runtimeFile;
      default = { };
      example = {
        libera-password = "/run/agenix/libera-password";
      };
      description = ''
        Files with secrets, which systemd hands to Towline under these names. In `settings`, `password_file`,
        `url_file`, `as_token_file`, `hs_token_file` and `secret_key_file` may be such a name.
      '';
    };

    registrationFile = mkOption {
      type = types.str;
      default = "/var/lib/towline-registration/registration.yaml";
      readOnly = true;
      description = ''
        The registration for the homeserver: made before the homeserver starts, renewed where the settings change, and
        readable to the group `towline-registration`.
      '';
    };

    registerToSynapse = mkOption {
      type = types.bool;
      default = config.services.matrix-synapse.enable;
      defaultText = lib.literalExpression "config.services.matrix-synapse.enable";
      description = "Whether the Synapse of this machine is given the registration.";
    };

    registerToTuwunel = mkOption {
      type = types.bool;
      default = config.services.matrix-tuwunel.enable or false;
      defaultText = lib.literalExpression "config.services.matrix-tuwunel.enable";
      description = ''
        Whether the tuwunel of this machine is given the registration. It reads all that is in one folder
        (`appservice_dir`), which then is Towline's.
      '';
    };

    doublePuppet.enable = lib.mkEnableOption ''
      double puppeting: what people say on IRC from another client appears as themselves. The homeserver gives Towline the
      right to act as any of its users
    '';

    database.createLocally = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether to use a database in the PostgreSQL of this machine, made for Towline. It knows Towline by its user and
        wants no password.
      '';
    };

    identd.enable = lib.mkEnableOption ''
      answering IRC servers on port 113 that ask whose connection it is. systemd opens the port, and Towline needs no
      right to
    '';

    openFirewall = mkOption {
      type = types.bool;
      default = false;
      description = "Whether to open the ident port in the firewall. No other port of Towline is for the outside.";
    };

    mediaBaseUrl = mkOption {
      type = types.nullOr types.str;
      default = null;
      example = "https://irc.example.org";
      description = "What links to files and long texts begin with, for people on IRC. Without it there are none.";
    };

    mediaProxy = mkOption {
      type = types.nullOr (
        types.enum [
          "nginx"
          "caddy"
        ]
      );
      default = null;
      description = "Which web server of this machine hands out what is asked for at `mediaBaseUrl`.";
    };

    serviceDependencies = mkOption {
      type = types.listOf types.str;
      description = ''
        The homeserver's units on this machine: the registration is ready before they start, and Towline starts after
        them.
      '';
    };
  };
}

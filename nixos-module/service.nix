# The unit that runs Towline, its user, its socket, its database, and what must not be said.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkIf optional optionals;
  cfg = config.services.towline;
  format = pkgs.formats.yaml { };
  towline = import ./lib.nix { inherit lib; };

  inherit (pkgs.stdenv) buildPlatform hostPlatform;
  unchecked = format.generate "towline.yaml" (towline.withoutNulls cfg.settings);
  # What is wrong with the settings is said when the system is built, and not by a bridge that does not start.
  checked = pkgs.runCommand "towline.yaml" { } ''
    ${lib.getExe cfg.package} check --file-only --config ${unchecked}
    cp ${unchecked} $out
  '';

  ownKey = cfg.settings.secret_key_file == "/var/lib/towline/towline.key";
  # Where there is a database without its key, a new key would open nothing in it: then `run` says what to do.
  makeKey = pkgs.writeShellScript "towline-key" ''
    set -eu
    cd /var/lib/towline
    if [ ! -e towline.key ] && [ ! -e towline.db ]; then
      umask 077
      ${pkgs.coreutils}/bin/head -c 32 /dev/urandom | ${pkgs.coreutils}/bin/base64 > towline.key.new
      ${pkgs.coreutils}/bin/mv towline.key.new towline.key
    fi
  '';

  postgresql =
    if config.systemd.targets ? postgresql then "postgresql.target" else "postgresql.service";
  secrets = towline.secretsIn cfg.settings;
in
{
  options.services.towline.configFile = lib.mkOption {
    type = lib.types.path;
    internal = true;
    readOnly = true;
    default = if buildPlatform.canExecute hostPlatform then checked else unchecked;
    defaultText = lib.literalMD "made of `settings`";
    description = "The configuration, checked.";
  };

  config = mkIf cfg.enable {
    assertions = [
      {
        assertion = secrets == [ ];
        message = ''
          services.towline.settings has secrets, which everybody could read in the store: ${lib.concatStringsSep ", " secrets}.
          Put each into a file, name that under services.towline.credentials, and write `password_file` (or as_token_file,
          url_file, …) = "the credential's name".
        '';
      }
      {
        assertion = !(cfg.identd.enable && (cfg.settings.ident.listen or null) != null);
        message = "services.towline.identd.enable opens port 113; leave out services.towline.settings.ident.listen.";
      }
      {
        assertion = cfg.openFirewall -> cfg.identd.enable;
        message = "services.towline.openFirewall opens the ident port: it is of use with services.towline.identd.enable.";
      }
    ];

    services.towline = {
      settings = {
        appservice.registration_file = cfg.registrationFile;
        database.url = mkIf cfg.database.createLocally (
          lib.mkDefault "postgresql:///towline?host=/run/postgresql&user=towline"
        );
      };
      serviceDependencies = lib.mkDefault (
        optional config.services.matrix-synapse.enable config.services.matrix-synapse.serviceUnit
        ++ optional (config.services.matrix-tuwunel.enable or false) "tuwunel.service"
        ++ optional (config.services.matrix-continuwuity.enable or false) "continuwuity.service"
        ++ optional (config.services.matrix-conduit.enable or false) "conduit.service"
      );
    };

    services.postgresql = mkIf cfg.database.createLocally {
      enable = true;
      ensureDatabases = [ "towline" ];
      ensureUsers = [
        {
          name = "towline";
          ensureDBOwnership = true;
        }
      ];
    };

    # It has a name of its own, by which PostgreSQL and the homeserver know it.
    users.users.towline = {
      isSystemUser = true;
      group = "towline";
      description = "Towline, an IRC bouncer for Matrix";
    };
    users.groups.towline = { };

    # For `towline check` and `towline history`, which an admin runs.
    environment.systemPackages = [ cfg.package ];
    environment.etc."towline/config.yaml".source = cfg.configFile;

    networking.firewall.allowedTCPPorts = mkIf cfg.openFirewall [ 113 ];

    # It comes and goes with the service, so that nobody outside can start that by a question.
    systemd.sockets.towline = mkIf cfg.identd.enable {
      description = "Ident port of Towline";
      partOf = [ "towline.service" ];
      listenStreams = [ "113" ];
    };

    systemd.services.towline = {
      description = "Towline, an IRC bouncer for Matrix";
      wantedBy = [ "multi-user.target" ];
      wants = [ "network-online.target" ] ++ cfg.serviceDependencies;
      requires = [
        "towline-registration.service"
      ]
      ++ optional cfg.identd.enable "towline.socket"
      ++ optional cfg.database.createLocally postgresql;
      after = [
        "network-online.target"
        "towline-registration.service"
      ]
      ++ cfg.serviceDependencies
      ++ optional cfg.database.createLocally postgresql;
      # A network that is added ends nobody's connection.
      reloadTriggers = [ cfg.configFile ];
      restartTriggers = [ (builtins.toJSON (towline.needingRestart cfg.settings)) ];
      serviceConfig = towline.sandbox // {
        Type = "notify";
        ExecStartPre = optionals ownKey [ makeKey ];
        # Not its path in the store, which is another one after each change.
        ExecStart = "${lib.getExe cfg.package} run --config /etc/towline/config.yaml";
        # Towline tells systemd when it begins to read its configuration and when it is done.
        ExecReload = "${pkgs.coreutils}/bin/kill -HUP $MAINPID";
        User = "towline";
        Group = "towline";
        StateDirectory = "towline";
        StateDirectoryMode = "0700";
        WorkingDirectory = "/var/lib/towline";
        EnvironmentFile = optional (cfg.environmentFile != null) cfg.environmentFile;
        LoadCredential = lib.mapAttrsToList (name: file: "${name}:${file}") cfg.credentials;
        WatchdogSec = "60s";
        # A new version may have to rebuild an index of many lines.
        TimeoutStartSec = "15min";
        TimeoutStopSec = "30s";
        Restart = "always";
        RestartSec = "10s";
        # The command line, the configuration, a database of a newer Towline: what no further attempt can better.
        RestartPreventExitStatus = "2 10 17";
      };
    };
  };
}

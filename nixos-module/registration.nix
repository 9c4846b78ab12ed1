# The registration: made and kept fresh before the homeserver starts, and given to it where it reads a file.
{
  config,
  lib,
  options,
  pkgs,
  ...
}:
let
  inherit (lib) mkIf optional;
  cfg = config.services.towline;
  towline = import ./lib.nix { inherit lib; };

  # In the same folder, all of which some homeservers read.
  doublePuppetFile = "${dirOf cfg.registrationFile}/double-puppet.yaml";
  files = [ cfg.registrationFile ] ++ optional cfg.doublePuppet.enable doublePuppetFile;

  # What the registration is made of: a homeserver reads it only at its start, and need not start again for the rest.
  said = builtins.toJSON {
    inherit (cfg.settings) appservice homeserver;
    inherit files;
    templates = cfg.settings.templates or { };
  };
in
{
  config = mkIf cfg.enable {
    users.groups.towline-registration.members = [
      "towline"
    ]
    ++ optional cfg.registerToSynapse "matrix-synapse";

    systemd.services = lib.mkMerge [
      {
        towline-registration = {
          description = "Registration of Towline with the homeserver";
          # Wanted, not required: what is wrong here must not keep the homeserver from its other work.
          wantedBy = [ "multi-user.target" ] ++ cfg.serviceDependencies;
          before = cfg.serviceDependencies;
          restartTriggers = [ said ];
          serviceConfig = towline.sandbox // {
            Type = "oneshot";
            RemainAfterExit = true;
            # It keeps the tokens and the id, and puts the new file whole in the old one's place.
            ExecStart =
              let
                write = "${lib.getExe cfg.package} registration --config /etc/towline/config.yaml";
              in
              [ write ] ++ optional cfg.doublePuppet.enable "${write} --double-puppet";
            ExecStartPost = "${pkgs.coreutils}/bin/chmod 0640 ${lib.concatStringsSep " " files}";
            User = "towline";
            Group = "towline-registration";
            StateDirectory = "towline-registration";
            StateDirectoryMode = "0750";
            EnvironmentFile = optional (cfg.environmentFile != null) cfg.environmentFile;
            LoadCredential = lib.mapAttrsToList (name: file: "${name}:${file}") cfg.credentials;
            PrivateNetwork = true;
            RestrictAddressFamilies = [ "AF_UNIX" ];
          };
        };
      }
      (mkIf cfg.registerToSynapse { matrix-synapse.restartTriggers = [ said ]; })
      (mkIf cfg.registerToTuwunel {
        tuwunel = {
          restartTriggers = [ said ];
          # Its user may be one that only systemd knows.
          serviceConfig.SupplementaryGroups = [ "towline-registration" ];
        };
      })
    ];

    services = lib.mkMerge [
      {
        towline.settings = mkIf cfg.doublePuppet.enable {
          double_puppet.registration_file = doublePuppetFile;
        };
      }
      (mkIf cfg.registerToSynapse {
        matrix-synapse.settings.app_service_config_files = files;
      })
      # Older releases of NixOS have no such option.
      (lib.optionalAttrs (options.services ? matrix-tuwunel) {
        matrix-tuwunel.settings.global = mkIf cfg.registerToTuwunel {
          appservice_dir = dirOf cfg.registrationFile;
        };
      })
    ];
  };
}

# A machine with Synapse, PostgreSQL and InspIRCd: Towline registers, somebody opens a conversation, it outlives a
# restart, and ident answers on port 113. It needs nixpkgs and a machine that can run another: `nix flake check`.
{ towline, ... }:
{
  name = "towline";

  nodes.machine =
    { pkgs, ... }:
    {
      imports = [ towline ];
      virtualisation.memorySize = 2048;

      services.matrix-synapse = {
        enable = true;
        settings = {
          server_name = "example.org";
          enable_registration = true;
          enable_registration_without_verification = true;
          database.name = "sqlite3";
          listeners = [
            {
              port = 8008;
              bind_addresses = [ "127.0.0.1" ];
              type = "http";
              tls = false;
              resources = [
                {
                  names = [ "client" ];
                  compress = false;
                }
              ];
            }
          ];
        };
      };

      services.inspircd = {
        enable = true;
        config = ''
          <server name="irc.example.org" description="test" network="Test">
          <admin name="test" nick="test" email="test@example.org">
          <bind address="127.0.0.1" port="6667" type="clients">
          <connect name="main" allow="*" timeout="60" pingfreq="120">
        '';
      };

      services.towline = {
        enable = true;
        database.createLocally = true;
        identd.enable = true;
        openFirewall = true;
        settings = {
          homeserver.domain = "example.org";
          permissions."example.org" = "user";
          presets = false;
          networks.test = {
            name = "Test";
            allow_private = true;
            servers = [
              {
                host = "127.0.0.1";
                port = 6667;
                tls = false;
              }
            ];
          };
        };
      };

      environment.systemPackages = [
        (pkgs.writers.writePython3Bin "alice" { flakeIgnore = [ "E501" ]; } (builtins.readFile ./alice.py))
      ];
    };

  testScript = ''
    machine.wait_for_unit("matrix-synapse.service")
    machine.wait_for_unit("inspircd.service")
    machine.wait_for_unit("towline.service")
    machine.wait_until_succeeds("curl --fail --silent http://127.0.0.1:9009/ready")

    with subtest("the registration is for the homeserver, and for nobody else"):
        file = "/var/lib/towline-registration/registration.yaml"
        assert machine.succeed(f"stat -c '%U %G %a' {file}").strip() == "towline towline-registration 640"
        machine.succeed(f"sudo -u matrix-synapse cat {file} >/dev/null")
        machine.fail(f"sudo -u nobody cat {file}")

    with subtest("ident answers without a capability"):
        machine.wait_for_open_port(113)
        pid = machine.succeed("systemctl show --property MainPID --value towline.service").strip()
        assert "CapEff:\t0000000000000000" in machine.succeed(f"cat /proc/{pid}/status")

    with subtest("a conversation, and a restart within it"):
        machine.succeed("alice begin >&2")
        machine.systemctl("restart towline.service")
        machine.wait_until_succeeds("curl --fail --silent http://127.0.0.1:9009/ready")
        machine.succeed("alice go-on >&2")

    with subtest("systemd counts it among the closed ones"):
        machine.succeed("systemd-analyze security --threshold=15 towline.service")
  '';
}

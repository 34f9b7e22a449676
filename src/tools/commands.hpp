// Every command's entry, called with argv as the user typed it (argv[0] is the command name, for messages). Returns the
// exit status. One file per program in this folder; the table that maps names to entries is in src/ekiden.cpp.
#pragma once

namespace ekiden::tools {

int postconf_main(int argc, char** argv);
int postqueue_main(int argc, char** argv);   // also mailq (sendmail -bp)
int postsuper_main(int argc, char** argv);
int postcat_main(int argc, char** argv);
int postmap_main(int argc, char** argv);     // postmap and postalias, told apart by argv[0]
int sendmail_main(int argc, char** argv);    // sendmail, mailq, newaliases
int postdrop_main(int argc, char** argv);
int postlog_main(int argc, char** argv);
int postkick_main(int argc, char** argv);
int postlock_main(int argc, char** argv);
int postmulti_main(int argc, char** argv);
int posttls_finger_main(int argc, char** argv);
int qshape_main(int argc, char** argv);
int qmqp_main(int argc, char** argv);        // qmqp-source, qmqp-sink: say why there is none
int smtp_source_main(int argc, char** argv);
int smtp_sink_main(int argc, char** argv);
int queue_main(int argc, char** argv);       // ekiden queue
int passwd_main(int argc, char** argv);      // ekiden passwd: has no link, the system has a passwd of its own

}  // namespace ekiden::tools
